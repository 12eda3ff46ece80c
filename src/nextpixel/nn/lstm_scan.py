"""The LSTM over maps that Row LSTM and Diagonal BiLSTM share (arXiv 1601.06759, equation 3).

    [o, f, i, g] = sigmoid(K_ss * h_previous + K_is * x)      with tanh for g
    c = f . c_previous + i . g
    h = o . tanh(c)

Cells that do not depend on each other (those of a row, or of a diagonal) form a *front* and are computed at once; the
scan goes from front to front. Both convolutions are sums over *taps*, and a tap of a front is a slice: of the inputs
for K_is, of the states for K_ss. Cells outside the map hold the learned initial state, so that every front has all its
neighbours.

PyTorch's own overhead would take most of the time if each front were an autograd graph of its own. So the backward
pass is written by hand, and the memory is laid out for it: the gates of a front are one block, maps first and the batch
innermost, in which each gate is a contiguous run that stays in the cache from its matrix products to its last use.
(Measured on two AVX2 cores, a step of 7 layers, h = 16, 28 x 28, batch 16: `benchmarks/recurrence.py`.)
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable


class Front(NamedTuple):
    """Cells that are computed at once, as slices with as many entries as there are cells.

    Attributes:
        cells: where the gates of the cells are.
        states: where their states are.
        neighbours: for each tap of the state-to-state convolution, where the states are that it looks at.
    """

    cells: slice
    states: slice
    neighbours: tuple[slice, ...]


@dataclass(frozen=True)
class Fronts:
    """The order in which a map is scanned.

    Attributes:
        fronts: one after another, with their cells in order; a state is a neighbour only after it was computed.
        memory: which of the neighbours hands its memory c on.
        inside: int64 `[cells]`, the state of each cell.
        outside: int64, the states that hold the initial state.
    """

    fronts: Sequence[Front]
    memory: int
    inside: Tensor
    outside: Tensor

    @cached_property
    def neighbours(self) -> list[Tensor]:
        """For each tap, the neighbour's state of every cell: int64 `[cells]`."""
        taps = zip(*(front.neighbours for front in self.fronts), strict=True)
        return [torch.cat([torch.arange(each.start, each.stop) for each in tap]).to(self.inside) for tap in taps]


class Recurrence(nn.Module):
    """The state-to-state part of an LSTM over maps, with its learned initial state.

    Args:
        hidden: h, number of hidden maps.
        taps: neighbours that the state-to-state convolution looks at.
        directions: D, scans beside each other, each with weights of its own.
    """

    def __init__(self, hidden: int, taps: int, directions: int = 1) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(taps, directions, 4 * hidden, hidden))
        self.hidden = nn.Parameter(torch.empty(directions, hidden))
        self.memory = nn.Parameter(torch.empty(directions, hidden))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw the weights so that states of deviation 1 give gates of deviation 1; the initial state is near zero."""
        taps, _, _, hidden = self.weight.shape
        with torch.no_grad():
            self.weight.normal_().div_(math.sqrt(taps * hidden))
            self.hidden.normal_(std=0.1)
            self.memory.normal_(std=0.1)

    def forward(self, inputs: Tensor, weight: Tensor, bias: Tensor, fronts: Fronts) -> Tensor:
        """Run the LSTM over the map.

        Args:
            inputs: what the input-to-state convolution looks at, for each cell: `[D, m, cells, B]`.
            weight: K_is, `[D, 4h, m]`, the gates in the order o, f, i, g.
            bias: of the gates, `[D, 4h]`.
            fronts: the order of the scan, for all directions the same.

        Returns:
            h of every cell, `[D, h, cells, B]`, in the dtype of the weights.
        """
        # A sum over a hundred steps needs more than the eight bits of bfloat16.
        with torch.autocast(inputs.device.type, enabled=False):
            inputs = inputs.to(bias.dtype).contiguous()
            # `model.to(memory_format=torch.channels_last)` takes any weight of four axes for a convolution's.
            return scan(inputs, weight, bias, self.weight.contiguous(), self.hidden, self.memory, fronts)


def forget_slowly(bias: Tensor, hidden: int) -> None:
    """Set the forget gates' part of an input-to-state bias, `[D * 4h]`, to 1, so that a new LSTM remembers."""
    with torch.no_grad():
        bias.view(-1, 4, hidden)[:, 1] = 1


def batch_last(maps: Tensor) -> Tensor:
    """Feature maps as the scan wants them: `[B, C, H, W]` to contiguous `[C, H*W, B]`."""
    return maps.permute(1, 2, 3, 0).contiguous().flatten(1, 2)


def map_of(cells: Tensor, height: int, width: int) -> Tensor:
    """The inverse of `batch_last`, channels last in memory."""
    maps = cells.view(len(cells), height, width, -1).permute(3, 0, 1, 2)
    return maps.contiguous(memory_format=torch.channels_last)


def scan(
    inputs: Tensor, weight: Tensor, bias: Tensor, state_weight: Tensor, hidden: Tensor, memory: Tensor, fronts: Fronts
) -> Tensor:
    """The scan itself: see `Recurrence`, whose parameters are the last three tensors."""
    # Compiled, the loop over the fronts would be unrolled into one graph, which takes minutes.
    apply = torch.compiler.disable(_Scan.apply)  # type: ignore[no-untyped-call]
    states: Tensor = apply(inputs, weight, bias, state_weight, hidden, memory, fronts)
    return states


class _Scan(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        inputs: Tensor,
        weight: Tensor,
        bias: Tensor,
        state_weight: Tensor,
        hidden: Tensor,
        memory: Tensor,
        fronts: Fronts,
    ) -> Tensor:
        gates = torch.baddbmm(bias[..., None], weight, inputs.flatten(2)).view(*bias.shape, *inputs.shape[2:])
        shape = (*hidden.shape, len(fronts.inside) + len(fronts.outside), inputs.shape[3])
        states, memories, tanh_c = gates.new_empty(shape), gates.new_empty(shape), gates.new_empty(shape)
        states[:, :, fronts.outside] = hidden[:, :, None, None]
        memories[:, :, fronts.outside] = memory[:, :, None, None]
        views = _views(fronts, gates, states, memories, tanh_c)
        for act, sigmoids, (o, f, i, g), seen, c_before, h_now, c, t in views:
            for tap, state in zip(state_weight, seen, strict=True):
                act.baddbmm_(tap, state)
            sigmoids.sigmoid_()
            g.tanh_()
            torch.mul(f, c_before, out=c)
            c.addcmul_(i, g)
            torch.tanh(c, out=t)
            torch.mul(o, t, out=h_now)
        ctx.save_for_backward(inputs, weight, state_weight, gates, states, memories, tanh_c)
        ctx.fronts = fronts
        return states.index_select(2, fronts.inside)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        inputs, weight, state_weight, gates, states, memories, tanh_c = ctx.saved_tensors
        fronts: Fronts = ctx.fronts
        back = state_weight.transpose(2, 3)
        d_gates, d_states, d_memories = torch.empty_like(gates), torch.zeros_like(states), torch.zeros_like(memories)
        d_states.index_copy_(2, fronts.inside, grad)
        views = _views(fronts, gates, states, memories, tanh_c)
        d_views = _views(fronts, d_gates, d_states, d_memories, tanh_c)
        for now, d_now in zip(reversed(views), reversed(d_views), strict=True):
            _, sigmoids, (o, f, i, g), _, c_before, _, _, t = now
            d_act, d_sigmoids, (d_o, d_f, d_i, d_g), d_seen, d_c_before, d_h, d_c, _ = d_now
            torch.mul(d_h, t, out=d_o)
            d_c.add_(torch.ops.aten.tanh_backward(d_h * o, t))
            torch.mul(d_c, c_before, out=d_f)
            torch.mul(d_c, g, out=d_i)
            torch.mul(d_c, i, out=d_g)
            torch.mul(d_c, f, out=d_c_before)
            torch.ops.aten.sigmoid_backward(d_sigmoids, sigmoids, grad_input=d_sigmoids)
            torch.ops.aten.tanh_backward(d_g, g, grad_input=d_g)
            for tap, d_state in zip(back, d_seen, strict=True):
                d_state.baddbmm_(tap, d_act)
        d_gates = d_gates.flatten(2)
        d_state_weight = torch.stack(
            [torch.bmm(d_gates, states.index_select(2, each).flatten(2).transpose(1, 2)) for each in fronts.neighbours]
        )
        d_hidden, d_memory = (each.index_select(2, fronts.outside).sum(dim=(2, 3)) for each in (d_states, d_memories))
        d_weight = torch.bmm(d_gates, inputs.flatten(2).transpose(1, 2))
        d_inputs = torch.bmm(weight.transpose(1, 2), d_gates).view_as(inputs)
        return d_inputs, d_weight, d_gates.sum(dim=2), d_state_weight, d_hidden, d_memory, None


class _View(NamedTuple):
    """The part of each tensor that belongs to a front, all `[D, maps, elements]`."""

    gates: Tensor
    sigmoids: Tensor
    each_gate: tuple[Tensor, ...]
    neighbours: tuple[Tensor, ...]
    memory_before: Tensor
    state: Tensor
    memory: Tensor
    tanh_memory: Tensor


def _views(fronts: Fronts, gates: Tensor, states: Tensor, memories: Tensor, tanh_c: Tensor) -> list[_View]:
    """All views at once, since slicing one by one would cost as much as computing."""
    batch, h = gates.shape[-1], states.shape[1]
    sizes = [batch * (front.cells.stop - front.cells.start) for front in fronts.fronts]
    gates = gates.flatten(2)
    whole, sigmoids, *each_gate = (
        torch.split_with_sizes(maps, sizes, 2) for maps in (gates, gates[:, : 3 * h], *gates.chunk(4, dim=1))
    )
    states, memories, tanh_c = states.flatten(2), memories.flatten(2), tanh_c.flatten(2)

    def at(maps: Tensor, place: slice) -> Tensor:
        return maps.narrow(2, place.start * batch, (place.stop - place.start) * batch)

    return [
        _View(
            act,
            sigmoid,
            (o, f, i, g),
            tuple(at(states, place) for place in front.neighbours),
            at(memories, front.neighbours[fronts.memory]),
            at(states, front.states),
            at(memories, front.states),
            at(tanh_c, front.states),
        )
        for front, act, sigmoid, o, f, i, g in zip(fronts.fronts, whole, sigmoids, *each_gate, strict=True)
    ]

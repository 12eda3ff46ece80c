"""The LSTM over maps that Row LSTM and Diagonal BiLSTM share (arXiv 1601.06759, equation 3).

    [o, f, i, g] = sigmoid(K_ss * h_previous + K_is * x)      with tanh for g
    c = f . c_previous + i . g
    h = o . tanh(c)

Cells that do not depend on each other (those of a row, or of a diagonal) form a *front* and are computed at once; the
scan goes from front to front. The state-to-state convolution is a sum over *taps*, and each tap of a front is a slice
of the states, since cells lie in the order of the fronts. Cells outside the map hold the learned initial state, so that
every front has all its neighbours.

PyTorch's own overhead would take most of the time if each front were an autograd graph of its own. So the backward
pass is written by hand, and the memory is laid out for it: the gates of a front are one block, maps first and the batch
innermost, in which each gate is a contiguous run that stays in the cache from its matrix products to its last use.
`benchmarks/recurrence.py` measures what it is worth.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.autograd.function import FunctionCtx

from nextpixel.nn.gate import tanh
from nextpixel.nn.initialisation import has_values


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
    """The order in which a map is scanned, by D directions beside each other.

    Attributes:
        fronts: one after another, with their cells in order; a state is a neighbour only after it was computed.
        memory: which of the neighbours hands its memory c on.
        places: int64 `[D, H*W]`, for each direction and cell its place in the map, in raster order; None where the
            only direction's cells are in raster order.
        cells: int64 `[D, H*W]`, the inverse: for each direction and place its cell; None where `places` is.
        states: int64 `[D, H*W]`, for each direction and place of the map where its state is.
        outside: int64, the states that hold the initial state.
    """

    fronts: Sequence[Front]
    memory: int
    places: Tensor | None
    cells: Tensor | None
    states: Tensor
    outside: Tensor

    def in_order(self, places: Tensor) -> Tensor:
        """From what belongs to the places of the map, `[H*W, B, m]`, what each direction's cells see in turn."""
        if self.places is None:
            return places.contiguous()[None]
        return places.index_select(0, self.places.flatten()).view(*self.places.shape, *places.shape[1:])

    def in_raster_order(self, cells: Tensor) -> Tensor:
        """The sum over the directions, `[H*W, B, m]`, of what belongs to the cells, `[D, H*W, B, m]`."""
        if self.cells is None:
            return cells[0]
        total = cells[0].index_select(0, self.cells[0])
        for direction, at in zip(cells[1:], self.cells[1:], strict=True):
            total += direction.index_select(0, at)
        return total


class Recurrence(nn.Module):
    """The state-to-state part of an LSTM over maps, with its learned initial state.

    Args:
        hidden: h, number of hidden maps.
        taps: neighbours that the state-to-state convolution looks at.
        directions: D, scans beside each other, each with weights of its own.
        order: the fronts of a map of a height and a width, with tensors on a device.
    """

    def __init__(
        self, hidden: int, taps: int, directions: int, order: Callable[[int, int, torch.device], Fronts]
    ) -> None:
        super().__init__()
        self.order = order
        self.weight = nn.Parameter(torch.empty(taps, directions, 4 * hidden, hidden))
        self.hidden = nn.Parameter(torch.empty(directions, hidden))
        self.memory = nn.Parameter(torch.empty(directions, hidden))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw the weights so that states of deviation 1 give gates of deviation 1; the initial state is near zero."""
        if not has_values(self.weight):
            return
        taps, _, _, hidden = self.weight.shape
        with torch.no_grad():
            self.weight.normal_().div_(math.sqrt(taps * hidden))
            self.hidden.normal_(std=0.1)
            self.memory.normal_(std=0.1)

    def forward(self, maps: Tensor, weight: Tensor, bias: Tensor) -> list[Tensor]:
        """Run the LSTM over a map.

        Args:
            maps: what the input-to-state convolution looks at, `[B, m, H, W]`.
            weight: K_is, `[D, 4h, m]`, the gates in the order o, f, i, g.
            bias: of the gates, `[D, 4h, 1]`, or `[D, 4h, B]` where each image has its own.

        Returns:
            For each direction h, `[B, h, H, W]`, in the dtype of the weights.
        """
        if torch.compiler.is_compiling():
            # The loop over the fronts would be unrolled into one graph, which takes minutes.
            scan: Callable[..., list[Tensor]] = torch.compiler.disable(self._scan)
            return scan(maps, weight, bias)
        return self._scan(maps, weight, bias)

    def _scan(self, maps: Tensor, weight: Tensor, bias: Tensor) -> list[Tensor]:
        batch, _, height, width = maps.shape
        fronts = self.order(height, width, maps.device)
        # A sum over a hundred steps needs more than the eight bits of bfloat16.
        with torch.autocast(maps.device.type, enabled=False):
            places = maps.to(bias.dtype).permute(2, 3, 0, 1).flatten(0, 1)
            # `model.to(memory_format=torch.channels_last)` takes any weight of four axes for a convolution's.
            state_weight = self.weight.contiguous()
            tensors = (places, weight, bias, state_weight, self.hidden, self.memory)
            keep = torch.is_grad_enabled() and any(tensor.requires_grad for tensor in tensors)
            apply: Callable[..., Tensor] = _Scan.apply
            states = apply(*tensors, fronts, keep)
        results = states.view(*self.hidden.shape, height, width, batch).permute(0, 4, 1, 2, 3)
        return [tensor.contiguous(memory_format=torch.channels_last) for tensor in results]


def forget_slowly(bias: Tensor, hidden: int) -> None:
    """Set the forget gates' part of an input-to-state bias, `[D * 4h]`, to 1, so that a new LSTM remembers."""
    with torch.no_grad():
        bias.view(-1, 4, hidden)[:, 1] = 1


class _Memory(FunctionCtx):
    fronts: Fronts
    bias_shape: torch.Size
    saved_tensors: tuple[Tensor, ...]


class _Scan(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: _Memory,
        inputs: Tensor,
        weight: Tensor,
        bias: Tensor,
        state_weight: Tensor,
        hidden: Tensor,
        memory: Tensor,
        fronts: Fronts,
        keep: bool,
    ) -> Tensor:
        cells, batch, _ = inputs.shape
        inputs = fronts.in_order(inputs)
        shape = (*hidden.shape, cells + len(fronts.outside), batch)
        states, memories = inputs.new_empty(shape), inputs.new_empty(shape)
        states[:, :, fronts.outside] = hidden[:, :, None, None]
        memories[:, :, fronts.outside] = memory[:, :, None, None]
        # Without a backward pass to come, the gates of all fronts may lie in the same place.
        room = cells if keep else max(front.cells.stop - front.cells.start for front in fronts.fronts)
        gates = inputs.new_empty(weight.shape[:2].numel() * room * batch)
        tanh_c = gates.new_empty(gates.numel() // 4)
        for x, act, by_image, (o, f, i, g), t, seen, c_before, h_now, c in _views(
            fronts, inputs, gates, tanh_c, states, memories
        ):
            by_image.copy_(bias[:, :, None])
            act.baddbmm_(weight, x.transpose(1, 2))
            for tap, state in zip(state_weight, seen, strict=True):
                act.baddbmm_(tap, state)
            act.narrow(1, 0, 3 * hidden.shape[1]).sigmoid_()
            tanh(g, out=g)
            torch.mul(f, c_before, out=c)
            c.addcmul_(i, g)
            tanh(c, out=t)
            torch.mul(o, t, out=h_now)
        ctx.save_for_backward(inputs, weight, state_weight, gates, tanh_c, states, memories)
        ctx.fronts, ctx.bias_shape = fronts, bias.shape
        result = inputs.new_empty(*hidden.shape, cells, batch)
        for state, at, front in zip(states, fronts.states, result, strict=True):
            torch.index_select(state, 1, at, out=front)
        return result

    @staticmethod
    def backward(ctx: _Memory, grad: Tensor) -> tuple[Tensor | None, ...]:
        if torch.is_grad_enabled():
            raise RuntimeError("the LSTM scan has no second derivative: do not ask for it by create_graph=True")
        inputs, weight, state_weight, gates, tanh_c, states, memories = ctx.saved_tensors
        fronts: Fronts = ctx.fronts
        back = state_weight.transpose(2, 3)
        d_inputs, d_states, d_memories = torch.empty_like(inputs), torch.zeros_like(states), torch.zeros_like(memories)
        d_weight, d_state_weight = torch.zeros_like(weight), torch.zeros_like(state_weight)
        d_bias = weight.new_zeros(*weight.shape[:2], inputs.shape[2])
        for d_state, at, d_h in zip(d_states, fronts.states, grad, strict=True):
            d_state.index_copy_(1, at, d_h)
        views = _views(fronts, inputs, gates, tanh_c, states, memories)
        d_views = _views(fronts, d_inputs, gates, tanh_c, d_states, d_memories)
        for now, d_now in zip(reversed(views), reversed(d_views), strict=True):
            x, act, by_image, (o, f, i, g), t, seen, c_before, _, _ = now
            d_x, _, _, _, _, d_seen, d_c_before, d_h, d_c = d_now
            d_act = torch.empty_like(act)
            d_o, d_f, d_i, d_g = d_act.chunk(4, dim=1)
            torch.mul(d_h, t, out=d_o)
            d_c.add_(torch.ops.aten.tanh_backward(d_h * o, t))
            torch.mul(d_c, c_before, out=d_f)
            torch.mul(d_c, g, out=d_i)
            torch.mul(d_c, i, out=d_g)
            torch.mul(d_c, f, out=d_c_before)
            d_sigmoids, sigmoids = (gates.narrow(1, 0, 3 * o.shape[1]) for gates in (d_act, act))
            torch.ops.aten.sigmoid_backward(d_sigmoids, sigmoids, grad_input=d_sigmoids)
            torch.ops.aten.tanh_backward(d_g, g, grad_input=d_g)
            torch.bmm(d_act.transpose(1, 2), weight, out=d_x)
            d_weight.baddbmm_(d_act, x)
            d_bias.add_(d_act.view_as(by_image).sum(dim=2))
            for tap, d_tap, state, d_state in zip(back, d_state_weight, seen, d_seen, strict=True):
                d_state.baddbmm_(tap, d_act)
                d_tap.baddbmm_(d_act, state.transpose(1, 2))
        d_hidden, d_memory = (
            tensor.index_select(2, fronts.outside).sum(dim=(2, 3)) for tensor in (d_states, d_memories)
        )
        return (
            fronts.in_raster_order(d_inputs),
            d_weight,
            d_bias.sum_to_size(ctx.bias_shape),
            d_state_weight,
            d_hidden,
            d_memory,
            None,
            None,
        )


class _View(NamedTuple):
    """The part of each tensor that belongs to a front: inputs `[D, elements, m]`, others `[D, maps, elements]`.

    Elements are cells times images, the images innermost; `gates_by_image` is `[D, maps, cells, images]`.
    """

    inputs: Tensor
    gates: Tensor
    gates_by_image: Tensor
    each_gate: Sequence[Tensor]
    tanh_memory: Tensor
    neighbours: Sequence[Tensor]
    memory_before: Tensor
    state: Tensor
    memory: Tensor


def _views(
    fronts: Fronts, inputs: Tensor, gates: Tensor, tanh_c: Tensor, states: Tensor, memories: Tensor
) -> list[_View]:
    """The views of all fronts."""
    batch, (directions, h) = inputs.shape[2], states.shape[:2]
    sizes = [batch * (front.cells.stop - front.cells.start) for front in fronts.fronts]
    inputs, states, memories = inputs.flatten(1, 2), states.flatten(2), memories.flatten(2)
    views = []
    pieces = (
        torch.split_with_sizes(inputs, sizes, 1),
        *(
            _pieces(block, [directions * maps * h * size for size in sizes])
            for block, maps in ((gates, 4), (tanh_c, 1))
        ),
    )
    for front, size, x, act, t in zip(fronts.fronts, sizes, *pieces, strict=True):
        act = act.view(directions, 4 * h, size)
        views.append(
            _View(
                x,
                act,
                act.view(directions, 4 * h, front.cells.stop - front.cells.start, batch),
                act.chunk(4, dim=1),
                t.view(directions, h, size),
                [states.narrow(2, place.start * batch, size) for place in front.neighbours],
                memories.narrow(2, front.neighbours[fronts.memory].start * batch, size),
                states.narrow(2, front.states.start * batch, size),
                memories.narrow(2, front.states.start * batch, size),
            )
        )
    return views


def _pieces(block: Tensor, sizes: list[int]) -> Sequence[Tensor]:
    """One piece after another, or, where the block is only as large as the largest, all in the same place."""
    if len(block) == sum(sizes):
        return torch.split_with_sizes(block, sizes)
    return [block.narrow(0, 0, size) for size in sizes]

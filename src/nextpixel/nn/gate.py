"""The gated unit of arXiv 1606.05328, `tanh(f) . sigmoid(g)`, with as few passes over memory as PyTorch allows.

On a CPU PyTorch's tanh takes six times as long as its sigmoid, so it is `2 sigmoid(2x) - 1` here. The backward pass is
written by hand: autograd would make the gradients of the two halves one by one and put them together afterwards.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.autograd.function import FunctionCtx

from nextpixel.nn.half import widened


def gate(maps: Tensor) -> Tensor:
    """`tanh` of the first half of the channels times `sigmoid` of the second: `[B, 2p, ...]` to `[B, p, ...]`."""
    if torch.compiler.is_compiling():
        # The compiler fuses all of it, and computes in float32 in between.
        features, gates = maps.chunk(2, dim=1)
        return (2 * torch.sigmoid(2 * features) - 1) * torch.sigmoid(gates)
    apply: Callable[..., Tensor] = _Gate.apply
    return apply(maps)


def tanh(maps: Tensor, out: Tensor) -> Tensor:
    """The tanh of float32 or wider into `out`, which may be `maps`; its error is the rounding of numbers near 1."""
    if maps.device.type != "cpu":
        return torch.tanh(maps, out=out)
    return torch.mul(maps, 2, out=out).sigmoid_().mul_(2).sub_(1)


class _Memory(FunctionCtx):
    layout: tuple[torch.Size, tuple[int, ...]]
    saved_tensors: tuple[Tensor, ...]


class _Gate(torch.autograd.Function):
    @staticmethod
    def forward(ctx: _Memory, maps: Tensor) -> Tensor:
        features, gates = maps.chunk(2, dim=1)
        # Near 0, where the sigmoid is 1/2, half precision has too few digits for the difference.
        wide = widened(features)
        activated = tanh(wide, out=torch.empty_like(wide) if wide is features else wide).to(maps.dtype)
        sigmoid = gates.sigmoid()
        ctx.save_for_backward(activated, sigmoid)
        ctx.layout = maps.shape, maps.stride()
        return activated * sigmoid

    @staticmethod
    def backward(ctx: _Memory, grad: Tensor) -> Tensor:
        if torch.is_grad_enabled():
            raise RuntimeError("the gate has no second derivative: do not ask for it by create_graph=True")
        activated, sigmoid = ctx.saved_tensors
        d_maps = grad.new_empty_strided(*ctx.layout)
        d_features, d_gates = d_maps.chunk(2, dim=1)
        torch.ops.aten.tanh_backward(grad * sigmoid, activated, grad_input=d_features)
        torch.ops.aten.sigmoid_backward(grad * activated, sigmoid, grad_input=d_gates)
        return d_maps

"""The log-softmax at given levels, with a backward pass that keeps one number a sub-pixel.

With 256 levels the distribution of every sub-pixel is the largest tensor of a network, and autograd would pass over it
a dozen times. Here it is widened to float32 a piece at a time, and what is computed of a piece stays in the cache.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from torch import Tensor
from torch.autograd.function import FunctionCtx

from nextpixel.nn.half import as_stored, widened

PIECE = 2**18
"""Numbers that are worked on at once on a CPU."""


def log_softmax_at(logits: Tensor, levels: Tensor) -> Tensor:
    """`log_softmax(logits, -1)` at the given levels.

    Args:
        logits: `[..., levels]`; half precision is widened.
        levels: int64 `[...]`.

    Returns:
        `[...]`, float32 or wider.
    """
    if torch.compiler.is_compiling():
        # The compiler fuses the passes itself.
        wide = widened(as_stored(logits))
        return wide.gather(-1, levels[..., None])[..., 0] - wide.logsumexp(-1)
    apply: Callable[..., Tensor] = _LogSoftmaxAt.apply
    return apply(logits, levels)


def _pieces(*tensors: Tensor, size: int) -> Iterator[tuple[Tensor, ...]]:
    """The tensors in step, so many entries of their first axis at a time."""
    return zip(*(torch.split(tensor, size) for tensor in tensors), strict=True)


class _Memory(FunctionCtx):
    size: int
    saved_tensors: tuple[Tensor, ...]


class _LogSoftmaxAt(torch.autograd.Function):
    @staticmethod
    def forward(ctx: _Memory, logits: Tensor, levels: Tensor) -> Tensor:
        dtype = widened(logits[:0]).dtype
        chosen, total = (torch.empty(levels.shape, dtype=dtype, device=logits.device) for _ in range(2))
        size = max(1, PIECE // max(1, logits[:1].numel()) if logits.device.type == "cpu" else len(logits))
        for piece, at, result, log_sum in _pieces(logits, levels, chosen, total, size=size):
            wide = widened(piece)
            torch.logsumexp(wide, -1, out=log_sum)
            torch.sub(wide.gather(-1, at[..., None])[..., 0], log_sum, out=result)
        ctx.save_for_backward(logits, levels, total)
        ctx.size = size
        return chosen

    @staticmethod
    def backward(ctx: _Memory, grad: Tensor) -> tuple[Tensor, None]:
        if torch.is_grad_enabled():
            raise RuntimeError("log_softmax_at has no second derivative: do not ask for it by create_graph=True")
        logits, levels, total = ctx.saved_tensors
        d_logits = torch.empty_like(logits)
        for piece, at, log_sum, scale, result in _pieces(logits, levels, total, grad, d_logits, size=ctx.size):
            scale = scale[..., None]
            wide = torch.sub(piece, log_sum[..., None]).exp_().mul_(-scale)
            result.copy_(wide.scatter_add_(-1, at[..., None], scale))
        return d_logits, None

"""Half precision, and the float32 that some sums need instead."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.autograd.function import FunctionCtx

HALF = (torch.bfloat16, torch.float16)


def widened(maps: Tensor) -> Tensor:
    """The maps in float32 if they are in half precision, else as they are."""
    return maps.float() if maps.dtype in HALF else maps


def as_stored(maps: Tensor) -> Tensor:
    """The maps as memory has them, rounded if they are in half precision, also in a compiled network.

    A compiler that fuses what makes the maps with what takes them may sum unrounded numbers in the forward pass, and
    take the rounded ones from memory in the backward pass. The probabilities there then have not the sum 1 of a
    softmax, the logits drift together, and the larger they are the larger is the error: trainings diverge.
    """
    if not torch.compiler.is_compiling() or maps.dtype not in HALF:
        return maps
    stored: Tensor = _stored(maps)
    return stored


@torch.library.custom_op("nextpixel::stored", mutates_args=())
def _stored(maps: Tensor) -> Tensor:
    return maps.clone()


@_stored.register_fake
def _(maps: Tensor) -> Tensor:
    return torch.empty_like(maps)


def _backward(_: FunctionCtx, gradient: Tensor) -> Tensor:
    return gradient


_stored.register_autograd(_backward)

"""Layers whose activations are computed again in the backward pass instead of being kept (arXiv 1604.06174)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import torch
from torch.utils.checkpoint import checkpoint

R = TypeVar("R")


def call(layer: Callable[..., R], *arguments: object, recompute: bool) -> R:
    """What a layer gives for its arguments; with `recompute`, of all that autograd needs only they are kept.

    The second computation draws the same dropout and runs under the same autocast as the first, so the gradients are
    the same. It costs one more forward pass of the layer.
    """
    if not (recompute and torch.is_grad_enabled()):
        return layer(*arguments)
    result: R = checkpoint(layer, *arguments, use_reentrant=False)
    return result

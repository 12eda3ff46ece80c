"""Layers whose activations are computed again in the backward pass instead of being kept (arXiv 1604.06174)."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.utils.checkpoint import checkpoint


def call(layer: nn.Module, *arguments: Any, recompute: bool) -> Any:
    """What a layer gives for its arguments; with `recompute`, of all that autograd needs only they are kept.

    The second computation draws the same dropout and runs under the same autocast as the first, so the gradients are
    the same. It costs one more forward pass of the layer.
    """
    if not (recompute and torch.is_grad_enabled()):
        return layer(*arguments)
    return checkpoint(layer, *arguments, use_reentrant=False)

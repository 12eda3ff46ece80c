"""Initial weights."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn


def has_values(weight: Tensor) -> bool:
    """Whether there is something to draw: not on the device `meta`, where a model is built to learn its shapes only.

    PyTorch would import its compiler there to do nothing, which takes seconds.
    """
    return not weight.is_meta


def drawn(*shape: int) -> Tensor:
    """A tensor of this shape from a normal distribution of mean 0 and deviation 1; see `has_values`."""
    weight = torch.empty(shape)
    return weight.normal_() if has_values(weight) else weight


def keep_deviation(layer: nn.Module) -> None:
    """Draw the weights of a layer so that an output has the deviation of an input; biases start at zero.

    Args:
        layer: a convolution, a deconvolution (whose stride divides what an output gets) or a linear layer.
    """
    assert isinstance(layer, nn.Conv2d | nn.ConvTranspose2d | nn.Linear)
    if not has_values(layer.weight):
        return
    if isinstance(layer, nn.ConvTranspose2d):
        inputs = layer.weight[:, 0].numel() / math.prod(layer.stride)
    else:
        inputs = layer.weight[0].numel()
    with torch.no_grad():
        layer.weight.normal_().div_(math.sqrt(inputs))
        if layer.bias is not None:
            layer.bias.zero_()

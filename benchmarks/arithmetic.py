"""Counts the multiplications that a model cannot do without, and the operations in which PyTorch does them.

Counted is what a forward pass really calls. A product counts the weights in it that are not zero, so taps that a mask
hides do not count, whether they are computed or not; what enters it (images, features) always counts as computed.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

import nextpixel as nx

BACKWARD = 2
"""A backward pass has two products for each one of the forward pass: for the input's gradient and the weight's."""

VIEWS = ("view", "permute", "transpose", "slice", "split", "select", "expand", "unsqueeze", "alias", "as_strided", "t.")
"""Operations that compute nothing, by what is in their names."""


class Count(NamedTuple):
    """Of a training step of one image.

    Attributes:
        flop: floating-point operations, forward and backward, two for each multiplication and addition.
        operations: calls of PyTorch that compute something, forward and backward.
        parameters: numbers that are trained.
    """

    flop: float
    operations: int
    parameters: int


class _Counter(TorchDispatchMode):
    def __init__(self) -> None:
        TorchDispatchMode.__init__(self)
        self.multiplications = 0
        self.operations = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Sequence[Any] = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        name = func.name().removeprefix("aten::")
        self.operations += not name.startswith(VIEWS)
        if name.startswith("convolution") and "backward" not in name:
            maps, weight, transposed = args[0], args[1], args[6]
            # Of a transposed convolution every place of the input meets every weight, else every place of the output.
            places = (maps if transposed else result)[:, 0].numel()
            self.multiplications += places * int(weight.count_nonzero())
        elif name.split(".")[0] in ("mm", "bmm", "addmm", "baddbmm", "baddbmm_"):
            self.multiplications += _products(*args[-2:])
        return result


def _products(first: Tensor, second: Tensor) -> int:
    """Multiplications of a product of matrices, of which the smaller one holds the weights."""
    if first.numel() <= second.numel():
        return int(first.count_nonzero()) * second.shape[-1]
    return int(second.count_nonzero()) * first.shape[-2]


def count(model: nx.ImageModel, batch: int = 8) -> Count:
    """What a training step of one image takes; `batch` images are tried, so that weights are the smaller operands."""
    with torch.no_grad():
        for parameter in model.parameters():
            # A weight that happens to be zero would pass for a masked one.
            parameter.add_(1e-3 * (parameter == 0))
    images = torch.randint(model.levels, (batch, *model.image_shape))
    with _Counter() as forward, torch.no_grad():
        model.log_prob(images)
    with _Counter() as both:
        model.log_prob(images).sum().backward()
    model.zero_grad()
    return Count(
        2 * (1 + BACKWARD) * forward.multiplications / batch,
        both.operations,
        sum(math.prod(parameter.shape) for parameter in model.parameters()),
    )

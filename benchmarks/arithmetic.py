"""Counts the multiplications that a model cannot do without, and the operations in which PyTorch does them.

Counted is what a forward pass really calls. A product counts the weights in it that are not zero, so taps that a mask
hides do not count, whether they are computed or not; what enters it (images, features) always counts as computed.
What is hidden at a place only does not count either: the pixels after each pixel in causal attention, and the taps that
a locally masked convolution does not see there, of which those outside the image are some.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

import nextpixel as nx
from nextpixel.nn.locally_masked import LocallyMaskedConv2d

BACKWARD = 2
"""A backward pass has two products for each one of the forward pass: for the gradients of both factors."""

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
    """Counts while it is entered.

    Attributes:
        multiplications: of the products.
        operations: that compute something.
        visible: which taps the locally masked convolution sees that runs, bool; None outside of one.
    """

    def __init__(self) -> None:
        TorchDispatchMode.__init__(self)
        self.multiplications = 0
        self.operations = 0
        self.visible: Tensor | None = None

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
            products = _products(*args[-2:])
            if self.visible is not None:
                products = products * int(self.visible.count_nonzero()) // self.visible.numel()
            self.multiplications += products
        elif name.startswith("_scaled_dot_product") and "backward" not in name:
            names = (argument.name for argument in func._schema.arguments)
            self.multiplications += _attention(**dict(zip(names, args, strict=False)), **(kwargs or {}))
        return result

    def enter(self, _: nn.Module, arguments: tuple[Tensor, Tensor]) -> None:
        """Begin a locally masked convolution."""
        self.visible = arguments[1]

    def leave(self, *_: object) -> None:
        """End it."""
        self.visible = None


def _products(first: Tensor, second: Tensor) -> int:
    """Multiplications of a product of matrices, of which the smaller one holds the weights."""
    if first.numel() <= second.numel():
        return int(first.count_nonzero()) * second.shape[-1]
    return int(second.count_nonzero()) * first.shape[-2]


def _attention(query: Tensor, key: Tensor, value: Tensor, *, is_causal: bool = False, **_: object) -> int:
    """Multiplications of an attention `[B, heads, L, d]`; numbers that are zero in all keys or values are padding."""
    images, heads, length, _size = query.shape
    pairs = length * (length + 1) // 2 if is_causal else length * key.shape[2]
    numbers = sum(int(part.flatten(0, 2).any(dim=0).count_nonzero()) for part in (key, value))
    return images * heads * pairs * numbers


def count(model: nx.ImageModel, batch: int = 8) -> Count:
    """What a training step of one image takes; `batch` images are tried, so that weights are the smaller operands."""
    with torch.no_grad():
        for parameter in model.parameters():
            # A weight that happens to be zero would pass for a masked one.
            parameter.add_(1e-3 * (parameter == 0))
    images = torch.randint(model.levels, (batch, *model.image_shape))
    forward = _Counter()
    convolutions = [module for module in model.modules() if isinstance(module, LocallyMaskedConv2d)]
    hooks = [one.register_forward_pre_hook(forward.enter) for one in convolutions]
    hooks += [one.register_forward_hook(forward.leave) for one in convolutions]
    with forward, torch.no_grad():
        model.log_prob(images)
    for hook in hooks:
        hook.remove()
    with _Counter() as both:
        model.log_prob(images).sum().backward()
    model.zero_grad()
    return Count(
        2 * (1 + BACKWARD) * forward.multiplications / batch,
        both.operations,
        sum(math.prod(parameter.shape) for parameter in model.parameters()),
    )

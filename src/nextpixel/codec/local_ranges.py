"""What a local PixelCNN's integers need to know beforehand: whether it has any, and the ranges of its activations."""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from nextpixel.codec.local_twin import LocalTwin
from nextpixel.errors import ModelError
from nextpixel.families.local_pixelcnn import LocalBlock, LocalLayer, LocalPixelCNN
from nextpixel.nn.layers import check_exact
from nextpixel.nn.logistic_mixture import LogisticMixture
from nextpixel.plan.integers import MOST_RANGE_BITS
from nextpixel.plan.stored_model import StoredModel
from nextpixel.runtime.precision import evaluating

RANGE_MARGIN = 1.25


def check_local(model: LocalPixelCNN) -> LogisticMixture:
    """The mixture of a model that has a twin.

    Raises:
        ModelError: it has none.
    """
    if not isinstance(model.distribution, LogisticMixture):
        raise ModelError(
            "a local-pixelcnn compresses with a logistic mixture only; train one with --head logistic-mixture"
        )
    if model.condition is not None:
        raise ModelError("a local-pixelcnn compresses without a condition only; train one without --condition")
    check_exact([("first", model.first), ("output", model.output)], LocalLayer, "integers of the codec")
    check_exact([("activation", model.activation)], nn.ReLU, "integers of the codec")
    check_exact(
        [(f"blocks.{place}", block) for place, block in enumerate(model.blocks)], LocalBlock, "integers of the codec"
    )
    return model.distribution


def raised(model: StoredModel, ranges: Sequence[int]) -> list[int]:
    """Raise ranges until no sum is carried in float32, where a weight may have as few as four bits.

    Larger ranges cost nothing themselves. Most sums of a model of photographs are carried in float64 anyhow; what a
    picture's small activations let into float32 costs up to half a per cent of the file.

    Args:
        model: whose twin is made.
        ranges: bits of the integer parts of its activations.

    Returns:
        As many, none of them smaller.
    """
    ranges = list(ranges)
    while True:
        twin = LocalTwin(model, ranges)
        # Each of these layers reads the activations of the one before it.
        hidden = [layer for block in twin.blocks for layer in block]
        narrow = [place for place, layer in enumerate(hidden) if layer.bias.dtype == np.float32]
        narrow = [place for place in narrow if ranges[place] < MOST_RANGE_BITS]
        if not narrow:
            return ranges
        for place in narrow:
            ranges[place] += 1


@torch.no_grad()
def measure(model: LocalPixelCNN, changed: StoredModel, windows: Tensor) -> list[int]:
    """Measure the ranges of a model's activations.

    Args:
        model: a local PixelCNN with a logistic mixture, without a condition.
        changed: the weights that are taken instead of its own.
        windows: values in levels, `[N, n, C]`, of pixels such as will be compressed.

    Returns:
        Bits of their integer parts.

    Raises:
        ModelError: the activations are not finite.
    """
    # A copy, as the model itself must not change while others may be using it.
    model = copy.deepcopy(model)
    model.load_state_dict({name: torch.from_numpy(weight) for name, weight in changed.weights.items()})
    largest: list[float] = []

    def look(_: nn.Module, __: tuple[Tensor, ...], output: Tensor) -> None:
        largest.append(float(output.abs().max()))

    layers: list[nn.Module] = [model.first, *(layer for block in model.blocks for layer in (block.inner, block))]
    handles = [layer.register_forward_hook(look) for layer in layers]
    try:
        with evaluating(model):
            model.parameters_at(windows[None], None)
    finally:
        for handle in handles:
            handle.remove()
    if not all(map(math.isfinite, largest)):
        raise ModelError("the activations of the model are not finite numbers; it has diverged: train it anew")
    bits = [math.ceil(math.log2(max(value * RANGE_MARGIN, 1e-9))) for value in largest]
    return [min(max(number, 0), MOST_RANGE_BITS) for number in bits]

"""The integer twin of a local PixelCNN with a logistic mixture.

Activations are integers in units of 2^-8, as in the twins of the other families (`nextpixel.codec.integers`). What is
special here is how a window becomes inputs, and the last layer's numbers a mixture. With six nearest values, their sum
S and the sum D of |6 v - S|:

    inputs        round((6 v - S) M[D] 2^-shift), the largest shift for which the product is below 2^24
    means         S 64 / 6 + mean * deviation[D], in 64ths of a level, and for each earlier colour b c (6 x_b - S_b)
    scales        step of the scale + step[D]
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from nextpixel.codec.integers import (
    FRACTION_BITS,
    LEAST_WEIGHT_BITS,
    MOST_RANGE_BITS,
    NARROW_LIMIT,
    ONE,
    WIDE_LIMIT,
    Part,
    integer_sum,
)
from nextpixel.codec.logistic_shares import (
    LARGEST_SCALE,
    LEVEL_BITS,
    SCALE_STEPS,
    SMALLEST_SCALE,
    Mixture,
    inverse_scales,
)
from nextpixel.codec.rans import TOTAL
from nextpixel.codec.tables import exp_table, rounded
from nextpixel.errors import ModelError
from nextpixel.families.local_pixelcnn import LocalBlock, LocalLayer, LocalPixelCNN
from nextpixel.nn.layers import check_exact
from nextpixel.nn.local_units import LARGEST, MIDDLE_STEP, STEPS_A_UNIT, STEPS_AN_OCTAVE, floor_of
from nextpixel.nn.local_window import NEAREST
from nextpixel.nn.logistic_mixture import LogisticMixture
from nextpixel.runtime.precision import evaluating

COUNT = len(NEAREST)
COUPLING_DIVISOR = COUNT << (FRACTION_BITS - LEVEL_BITS)
"""Of a coefficient times the distance of `COUNT` times a value from the sum, to be in units of means."""

LARGEST_INPUT = int(LARGEST) * ONE
LARGEST_UNIT = 3 * ONE
"""Of the mean and the step as inputs."""

MOST_OUTPUT = 1 << 15
RANGE_MARGIN = 1.25
HIGHEST_FLOAT32 = 1 << 24


class Units(NamedTuple):
    """What depends on D, for each D from 0 to 2 * COUNT * (levels - 1) * COUNT // 4.

    Attributes:
        multiplier: M, float32.
        shift: 2^-shift, by which products are multiplied.
        step_input: the step as an input of the network, float32.
        deviation: in 64ths of a level, int64.
        scale: the deviation in steps of the scale, int64.
    """

    multiplier: Tensor
    shift: float
    step_input: Tensor
    deviation: NDArray[np.int64]
    scale: NDArray[np.int64]


@lru_cache(maxsize=8)
def units(levels: int) -> Units:
    """The tables of a number of levels."""
    floor = floor_of(levels)
    most = COUNT * COUNT // 2 * (levels - 1)
    steps = [_step(spread, floor) for spread in range(most + 1)]
    deviations = [floor * 2 ** (step / STEPS_AN_OCTAVE) for step in steps]
    shift = 0
    while (levels - 1) * COUNT * round(ONE * 2 ** (shift + 1) / (COUNT * floor)) < HIGHEST_FLOAT32:
        shift += 1
    return Units(
        torch.tensor([float(rounded(ONE * 2**shift / (COUNT * deviation))) for deviation in deviations]),
        2.0**-shift,
        torch.tensor([float(rounded(ONE * (step - MIDDLE_STEP) / STEPS_A_UNIT)) for step in steps]),
        np.array([rounded(deviation * 2**LEVEL_BITS) for deviation in deviations], np.int64),
        np.array([rounded(SCALE_STEPS * math.log(deviation)) for deviation in deviations], np.int64),
    )


def _step(spread: int, floor: float) -> int:
    return rounded(STEPS_AN_OCTAVE * math.log2(1 + 2 * spread / (COUNT * COUNT * floor)))


class Prediction(NamedTuple):
    """What the twin says of N pixels before their colours are known.

    Attributes:
        weights: int64 `[C, N, K]`.
        means: int64 `[C, N, K]`, without what the earlier colours add.
        inverses: int64 `[C, N, K]`.
        coefficients: int64 `[pairs, N, K]`, of the pairs of a colour and an earlier one.
        sums: int64 `[C, N]`: S.
    """

    weights: NDArray[np.int64]
    means: NDArray[np.int64]
    inverses: NDArray[np.int64]
    coefficients: NDArray[np.int64]
    sums: NDArray[np.int64]

    def mixture(self, colour: int, earlier: Sequence[NDArray[np.int64]]) -> Mixture:
        """The mixture of a colour, given the values `[N]` of those before it."""
        means = self.means[colour]
        first = colour * (colour - 1) // 2
        for before, values in enumerate(earlier):
            above = COUNT * values - self.sums[before]
            means = means + _divided(self.coefficients[first + before] * above[:, None], COUPLING_DIVISOR)
        return Mixture(self.weights[colour], means, self.inverses[colour])


def _divided(values: NDArray[np.int64], by: int) -> NDArray[np.int64]:
    """Divide integers, rounding to the nearest and up from the middle."""
    return (values + by // 2) // by


class Layer(NamedTuple):
    """A layer in integers.

    Attributes:
        weights: `[inputs, outputs]`, in the carrier's dtype.
        bias: `[outputs]`.
        scale: `[outputs]`; see `Sum`.
    """

    weights: Tensor
    bias: Tensor
    scale: Tensor

    def __call__(self, inputs: Tensor, largest: int) -> Tensor:
        """Activations `[N, outputs]` within `largest`, in float32."""
        sums = torch.addmm(self.bias, inputs.to(self.bias.dtype), self.weights)
        return sums.mul_(self.scale).round_().clamp_(-largest, largest).float()


def _layer(parts: Sequence[Part], bias: Tensor, limit: float) -> Layer:
    """A layer whose sums float32 carries, or float64 where that leaves too few bits of a weight."""
    total = integer_sum(parts, bias.double()[None], limit)
    if limit == NARROW_LIMIT and int(total.bits.min()) < LEAST_WEIGHT_BITS:
        return _layer(parts, bias, WIDE_LIMIT)
    if int(total.bits.min()) < 0:
        raise ModelError("the weights of the model are too large to compress with; it has diverged: train it anew")
    dtype = torch.float32 if limit == NARROW_LIMIT else torch.float64
    weights = torch.cat(total.weights, dim=1).T.to(dtype).contiguous()
    return Layer(weights, total.bias[0].to(dtype), total.scale.to(dtype))


def activations(model: LocalPixelCNN) -> int:
    """How many ranges the twin of a model needs."""
    return 1 + 2 * len(model.blocks)


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


@torch.no_grad()
def measure(model: LocalPixelCNN, windows: Tensor) -> list[int]:
    """Measure the ranges of a model's activations.

    Args:
        model: see `LocalTwin`.
        windows: values in levels, `[N, n, C]`, of pixels such as will be compressed.

    Returns:
        Bits of their integer parts.

    Raises:
        ModelError: the activations are not finite.
    """
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


class LocalTwin:
    """The twin.

    Args:
        model: a local PixelCNN with a logistic mixture, without a condition.
        ranges: bits of the integer part of each activation, as `measure` finds them.

    Attributes:
        levels: values that a sub-pixel can take.
        channels: colours of a pixel.
        window: what a pixel sees.
        beyond: the value where nothing is known.

    Raises:
        ModelError: the weights are not finite, or the ranges do not fit the model.
    """

    def __init__(self, model: LocalPixelCNN, ranges: Sequence[int]) -> None:
        mixture = check_local(model)
        if not all(bool(weight.isfinite().all()) for weight in model.parameters()):
            raise ModelError("the weights of the model are not finite numbers; train it anew")
        if len(ranges) != activations(model) or not all(0 <= bits <= MOST_RANGE_BITS for bits in ranges):
            raise ModelError("the ranges of the activations do not fit the model")
        self.levels, self.window, self.beyond = model.levels, model.window, model.beyond
        self.channels, self.components = model.image_shape[0], mixture.components
        self.largest = [ONE << bits for bits in ranges]
        self.units = units(self.levels)
        values = len(self.window.offsets) * self.channels
        weights = model.first.linear.weight.double()
        parts = [Part(weights[:, :values], LARGEST_INPUT), Part(weights[:, values:], LARGEST_UNIT)]
        self.first = _layer(parts, model.first.linear.bias, NARROW_LIMIT)
        self.blocks = []
        before = self.largest[0]
        for block, inner, outer in zip(model.blocks, self.largest[1::2], self.largest[2::2], strict=True):
            self.blocks.append(
                (
                    _layer([_part(block.inner, before)], block.inner.linear.bias, NARROW_LIMIT),
                    _layer([_part(block.outer, inner)], block.outer.linear.bias, NARROW_LIMIT),
                )
            )
            before = outer
        # The mixture's means want more digits than float32 has room for.
        self.output = _layer([_part(model.output, before)], model.output.linear.bias, WIDE_LIMIT)

    def predict(self, windows: Tensor) -> Prediction:
        """The mixtures of pixels.

        Args:
            windows: float32 integers `[N, n, C]`, in the order of the window's offsets.
        """
        nearest = windows[:, list(self.window.nearest)]
        sums = nearest.sum(dim=1)
        spread = (COUNT * nearest - sums[:, None]).abs().sum(dim=1).long()
        inputs = self._inputs(windows, sums, spread)
        features = self.first(inputs, self.largest[0]).relu_()
        for (inner, outer), most, largest in zip(self.blocks, self.largest[1::2], self.largest[2::2], strict=True):
            change = outer(inner(features, most).relu_(), largest)
            features = features.add_(change).clamp_(-largest, largest)
        outputs = self.output(features.relu_(), MOST_OUTPUT).numpy().astype(np.int64)
        return self._prediction(outputs, sums.numpy().astype(np.int64), spread.numpy())

    def _inputs(self, windows: Tensor, sums: Tensor, spread: Tensor) -> Tensor:
        """What the first layer reads, float32 integers `[N, (n + 2) * C]`."""
        values = (COUNT * windows - sums[:, None]).mul_(self.units.multiplier[spread][:, None])
        values = values.mul_(self.units.shift).round_().clamp_(-LARGEST_INPUT, LARGEST_INPUT)
        # One division, which IEEE arithmetic rounds in one way only.
        middle = ((sums.double() - COUNT * self.beyond) * (4 * ONE) / (COUNT * self.levels)).round().float()
        return torch.cat([values.flatten(1), middle, self.units.step_input[spread]], dim=1)

    def _prediction(self, outputs: NDArray[np.int64], sums: NDArray[np.int64], spread: NDArray[np.int64]) -> Prediction:
        colours, components = self.channels, self.components
        parts = outputs.reshape(len(outputs), outputs.shape[1] // components, components).transpose(1, 0, 2)
        logits, means, scales = parts[:colours], parts[colours : 2 * colours], parts[2 * colours : 3 * colours]
        deviation, scale = (table[spread].T[..., None] for table in (self.units.deviation, self.units.scale))
        middle = _divided(sums.T << LEVEL_BITS, COUNT)[..., None]
        steps = _divided(scales, ONE // SCALE_STEPS) + scale
        return Prediction(
            _weights(logits, self.levels),
            middle + _divided(means * deviation, ONE),
            inverse_scales()[np.clip(steps, SMALLEST_SCALE, LARGEST_SCALE) - SMALLEST_SCALE],
            parts[3 * colours :],
            sums.T,
        )


def _part(layer: LocalLayer, largest: int) -> Part:
    return Part(layer.linear.weight.double(), largest)


def _weights(logits: NDArray[np.int64], levels: int) -> NDArray[np.int64]:
    """Softmax in integers, along the last axis: weights that sum to `TOTAL - levels`."""
    table = exp_table(FRACTION_BITS).numpy()
    below = logits.max(axis=-1, keepdims=True) - logits
    shares = table[np.minimum(below, len(table) - 1)]
    free = TOTAL - levels
    weights = shares * free // shares.sum(axis=-1, keepdims=True)
    left = free - weights.sum(axis=-1, keepdims=True)
    first = np.arange(weights.shape[-1]) == logits.argmax(axis=-1)[..., None]
    total: NDArray[np.int64] = weights + first * left
    return total

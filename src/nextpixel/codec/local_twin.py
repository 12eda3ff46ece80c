"""The integer twin of a local PixelCNN with a logistic mixture.

Activations are integers in units of 2^-8, as in the programs of the other families (`nextpixel.plan.integers`). What is
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
from numpy.typing import NDArray

from nextpixel.coding.logistic_shares import (
    LARGEST_SCALE,
    LEVEL_BITS,
    SCALE_STEPS,
    SMALLEST_SCALE,
    Mixture,
    inverse_scales,
)
from nextpixel.coding.rans import TOTAL
from nextpixel.coding.tables import exp_table, rounded
from nextpixel.errors import ModelError
from nextpixel.nn.local_window import (
    LARGEST,
    MIDDLE_STEP,
    NEAREST,
    STEPS_A_UNIT,
    STEPS_AN_OCTAVE,
    LocalWindow,
    floor_of,
)
from nextpixel.plan.consistency import other_weights
from nextpixel.plan.integers import (
    FRACTION_BITS,
    LEAST_WEIGHT_BITS,
    MOST_RANGE_BITS,
    NARROW_LIMIT,
    ONE,
    WIDE_LIMIT,
    Part,
    integer_sum,
)
from nextpixel.plan.stored_model import StoredModel

COUNT = len(NEAREST)
COUPLING_DIVISOR = COUNT << (FRACTION_BITS - LEVEL_BITS)
"""Of a coefficient times the distance of `COUNT` times a value from the sum, to be in units of means."""

LARGEST_INPUT = int(LARGEST) * ONE
LARGEST_UNIT = 3 * ONE
"""Of the mean and the step as inputs."""

MOST_OUTPUT = 1 << 15
HIGHEST_FLOAT32 = 1 << 24


Floats = NDArray[np.float32 | np.float64]


class Units(NamedTuple):
    """What depends on D, for each D from 0 to 2 * COUNT * (levels - 1) * COUNT // 4.

    Attributes:
        multiplier: M, float32.
        shift: 2^-shift, by which products are multiplied.
        step_input: the step as an input of the network, float32.
        deviation: in 64ths of a level, int64.
        scale: the deviation in steps of the scale, int64.
    """

    multiplier: NDArray[np.float32]
    shift: float
    step_input: NDArray[np.float32]
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
        np.array([rounded(ONE * 2**shift / (COUNT * deviation)) for deviation in deviations], np.float32),
        2.0**-shift,
        np.array([rounded(ONE * (step - MIDDLE_STEP) / STEPS_A_UNIT) for step in steps], np.float32),
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

    def of(self, pixels: NDArray[np.int64]) -> Prediction:
        """What it says of some of the pixels."""
        return Prediction(*(np.take(values, pixels, axis=1) for values in self))

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

    weights: Floats
    bias: Floats
    scale: Floats

    def __call__(self, inputs: Floats, largest: int, least: int | None = None) -> Floats:
        """Activations `[N, outputs]` from `least`, by default -`largest`, to `largest`, in the carrier's dtype."""
        sums: Floats = inputs.astype(self.bias.dtype, copy=False) @ self.weights
        sums += self.bias
        sums *= self.scale
        np.rint(sums, out=sums)
        np.clip(sums, -largest if least is None else least, largest, out=sums)
        return sums


def _layer(parts: Sequence[Part], bias: NDArray[np.float64], limit: float) -> Layer:
    """A layer whose sums float32 carries, or float64 where that leaves too few bits of a weight."""
    total = integer_sum(parts, bias[None], limit)
    if limit == NARROW_LIMIT and int(total.bits.min()) < LEAST_WEIGHT_BITS:
        return _layer(parts, bias, WIDE_LIMIT)
    if int(total.bits.min()) < 0:
        raise ModelError("the weights of the model are too large to compress with; it has diverged: train it anew")
    dtype = np.float32 if limit == NARROW_LIMIT else np.float64
    weights = np.ascontiguousarray(np.concatenate(total.weights, axis=1).T.astype(dtype))
    return Layer(weights, total.bias[0].astype(dtype), total.scale.astype(dtype))


def activations(layers: int) -> int:
    """How many ranges the twin of a model with so many layers needs."""
    return 1 + 2 * layers


class LocalTwin:
    """The twin.

    Args:
        model: a local PixelCNN with a logistic mixture, without a condition.
        ranges: bits of the integer part of each activation.
        wide_first: whether float64 carries the sums of the first layer. Of its many inputs each may be large, so that
            float32 leaves a weight some seven bits, which costs up to 1.8 %. False for files of version 2.

    Attributes:
        levels: values that a sub-pixel can take.
        channels: colours of a pixel.
        window: what a pixel sees.
        beyond: the value where nothing is known.

    Raises:
        ModelError: the weights are not finite, or the ranges do not fit the model.
    """

    def __init__(self, model: StoredModel, ranges: Sequence[int], *, wide_first: bool = True) -> None:
        if not all(np.isfinite(weight).all() for weight in model.weights.values()):
            raise ModelError("the weights of the model are not finite numbers; train it anew")
        layers = model.integer("layers")
        if len(ranges) != activations(layers) or not all(0 <= bits <= MOST_RANGE_BITS for bits in ranges):
            raise ModelError("the ranges of the activations do not fit the model")
        self.levels = model.levels
        self.window = LocalWindow(model.integer("kernel_size") // 2, model.integer("distance"), model.integer("lag"))
        self.beyond = self.levels // 2
        self.channels, self.components = model.image_shape[0], model.integer("components")
        self.largest = [ONE << bits for bits in ranges]
        self.units = units(self.levels)
        values = len(self.window.offsets) * self.channels
        weights, bias = _linear(model, "first", values + 2 * self.channels)
        parts = [Part(weights[:, :values], LARGEST_INPUT), Part(weights[:, values:], LARGEST_UNIT)]
        self.first = _layer(parts, bias, WIDE_LIMIT if wide_first else NARROW_LIMIT)
        features = len(bias)
        self.blocks = []
        before = self.largest[0]
        for block, (inner, outer) in enumerate(zip(self.largest[1::2], self.largest[2::2], strict=True)):
            self.blocks.append(
                (
                    _layer_of(model, f"blocks.{block}.inner", features, features, before, NARROW_LIMIT),
                    _layer_of(model, f"blocks.{block}.outer", features, features, inner, NARROW_LIMIT),
                )
            )
            before = outer
        # The mixture's means want more digits than float32 has room for.
        outputs = self.components * (3 * self.channels + self.channels * (self.channels - 1) // 2)
        self.output = _layer_of(model, "output", features, outputs, before, WIDE_LIMIT)

    def predict(self, windows: NDArray[np.float32]) -> Prediction:
        """The mixtures of pixels.

        Args:
            windows: integers `[N, n, C]`, in the order of the window's offsets.
        """
        nearest = windows[:, list(self.window.nearest)]
        sums = nearest.sum(axis=1)
        spread = np.abs(COUNT * nearest - sums[:, None]).sum(axis=1).astype(np.int64)
        inputs = self._inputs(windows, sums, spread)
        features = self.first(inputs, self.largest[0], 0)
        for (inner, outer), most, largest in zip(self.blocks, self.largest[1::2], self.largest[2::2], strict=True):
            change = outer(inner(features, most, 0), largest)
            # Any dtype holds both, and their sum.
            change += features.astype(change.dtype, copy=False)
            features = np.clip(change, -largest, largest, out=change)
        np.maximum(features, 0, out=features)
        outputs = self.output(features, MOST_OUTPUT).astype(np.int64)
        return self._prediction(outputs, sums.astype(np.int64), spread)

    def _inputs(self, windows: NDArray[np.float32], sums: NDArray[np.float32], spread: NDArray[np.int64]) -> Floats:
        """What the first layer reads, integers `[N, (n + 2) * C]`."""
        count, places, channels = windows.shape
        inputs: Floats = np.empty((count, (places + 2) * channels), self.first.bias.dtype)
        values = inputs[:, : places * channels].reshape(count, places, channels)
        # What is scaled by a power of two is as exact as before.
        multiplier = self.units.multiplier[spread] * np.float32(self.units.shift)
        # NumPy goes through a colour of all places sooner than through all colours of a place.
        for colour in range(channels):
            above = windows[:, :, colour] * np.float32(COUNT)
            above -= sums[:, colour, None]
            above *= multiplier[:, colour, None]
            np.rint(above, out=above)
            np.clip(above, -LARGEST_INPUT, LARGEST_INPUT, out=values[:, :, colour])
        # One division, which IEEE arithmetic rounds in one way only.
        middle = (sums.astype(np.float64) - COUNT * self.beyond) * (4 * ONE) / (COUNT * self.levels)
        inputs[:, places * channels : (places + 1) * channels] = np.rint(middle)
        inputs[:, (places + 1) * channels :] = self.units.step_input[spread]
        return inputs

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


def _layer_of(model: StoredModel, name: str, inputs: int, outputs: int, largest: int, limit: float) -> Layer:
    """A layer that reads so many integers up to `largest`."""
    weights, bias = _linear(model, name, inputs, outputs)
    return _layer([Part(weights, largest)], bias, limit)


def _linear(
    model: StoredModel, name: str, inputs: int, outputs: int | None = None
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The weights `[outputs, inputs]` and the bias of a layer.

    Raises:
        ModelError: they are of other shapes, as they may be in a file: what is compiled would read beyond them.
    """
    weights, bias = model.doubles(f"{name}.linear.weight"), model.doubles(f"{name}.linear.bias")
    outputs = bias.size if outputs is None else outputs
    if weights.shape != (outputs, inputs) or bias.shape != (outputs,) or not outputs:
        raise other_weights(f"{name} in the model")
    return weights, bias


def _weights(logits: NDArray[np.int64], levels: int) -> NDArray[np.int64]:
    """Softmax in integers, along the last axis: weights that sum to `TOTAL - levels`."""
    table = exp_table(FRACTION_BITS)
    below = logits.max(axis=-1, keepdims=True) - logits
    shares = table[np.minimum(below, len(table) - 1)]
    free = TOTAL - levels
    weights = shares * free // shares.sum(axis=-1, keepdims=True)
    left = free - weights.sum(axis=-1, keepdims=True)
    first = np.arange(weights.shape[-1]) == logits.argmax(axis=-1)[..., None]
    total: NDArray[np.int64] = weights + first * left
    return total

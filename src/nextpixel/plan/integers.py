"""Weights, activations and nonlinearities as integers that floats carry exactly.

An activation a is the integer round(a * 2^FRACTION_BITS). A layer's weights have a power of two of their own for
each output channel, the largest for which no sum can leave the range in which the carrier is exact:

    sum over inputs |w| * (largest input) + |bias| < 2^23           checked here, with the integers that are used

Then every partial sum is an integer below 2^24, float32 holds it exactly, and the order of a sum, the size of a batch,
the number of threads, and the instructions of a processor make no difference. Rounding is a multiplication by a power
of two and a rounding to the nearest integer, ties to even, both exact in IEEE arithmetic.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import DTypeLike, NDArray

from nextpixel.coding.tables import rounded
from nextpixel.errors import ModelError

Doubles = NDArray[np.float64]

FRACTION_BITS = 8
"""Fraction bits of activations and logits."""

ONE = 1 << FRACTION_BITS
NARROW_LIMIT, WIDE_LIMIT = 2.0**23, 2.0**50
MOST_WEIGHT_BITS, LEAST_WEIGHT_BITS = 14, 4
MOST_RANGE_BITS = 12
"""Of the integer part of an activation."""

GATE_REACH = 8 * ONE
"""Beyond 8, tanh and sigmoid are 1 to 3e-4."""

LARGEST_LOGIT = 1 << 15
"""Logits are kept within 128."""


class Part(NamedTuple):
    """One of the inputs of a sum.

    Attributes:
        weight: float64 `[outputs, ...]`.
        largest: the largest absolute integer among these inputs.
        steps: how many integer steps of these inputs make 1: `ONE` for activations, another number for an image.
    """

    weight: Doubles
    largest: int
    steps: int = ONE


class Sum(NamedTuple):
    """A sum of parts in integers.

    Attributes:
        weights: of each part, integers in float64, of its shape.
        bias: integers in float64, `[conditions, outputs]`.
        scale: `[outputs]`: what turns a sum into an activation, before it is rounded.
        bits: `[outputs]`, fraction bits of the weights.
    """

    weights: list[Doubles]
    bias: Doubles
    scale: Doubles
    bits: NDArray[np.int64]


def integer_sum(parts: Sequence[Part], bias: Doubles, limit: float) -> Sum:
    """Turn weights and biases into integers.

    Args:
        parts: the inputs.
        bias: float64 `[conditions, outputs]`, for each condition its own.
        limit: below which every possible sum is to stay.
    """
    outputs = bias.shape[1]
    chosen = np.full(outputs, -1, np.int64)
    # What is too large for a float is refused by whoever looks at the bits.
    with np.errstate(over="ignore", invalid="ignore"):
        for bits in range(MOST_WEIGHT_BITS, -1, -1):
            power = np.full(outputs, 2.0**bits)
            bound = np.abs(_integers(bias, power * ONE)).max(axis=0)
            for part in parts:
                bound = bound + np.abs(_weights(part, power)).reshape(outputs, -1).sum(axis=1) * part.largest
            chosen = np.where((chosen < 0) & (bound < limit), bits, chosen)
        power = 2.0 ** chosen.astype(np.float64)
        return Sum([_weights(part, power) for part in parts], _integers(bias, power * ONE), 1 / power, chosen)


def _weights(part: Part, power: Doubles) -> Doubles:
    shape = (-1, *[1] * (part.weight.ndim - 1))
    # A product with a power of two is exact, so only the division rounds, as IEEE arithmetic says it must.
    weights: Doubles = np.rint(part.weight * (power * ONE).reshape(shape) / part.steps)
    return weights


def _integers(values: Doubles, power: Doubles) -> Doubles:
    integers: Doubles = np.rint(values * power)
    return integers


def table(function: Callable[[float], float], first: int, last: int) -> Doubles:
    """`ONE * function(i / ONE)`, rounded, for i from `first` to `last`."""
    return np.array([float(rounded(ONE * function(i / ONE))) for i in range(first, last + 1)])


@lru_cache(maxsize=1)
def gate_tables() -> tuple[Doubles, Doubles]:
    """The tables of tanh and of sigmoid over -GATE_REACH..GATE_REACH."""
    reach = (-GATE_REACH, GATE_REACH)
    return table(math.tanh, *reach), table(lambda x: 1 / (1 + math.exp(-x)), *reach)


@lru_cache(maxsize=4)
def elu_table(largest: int) -> Doubles:
    """The table of ELU over -largest..largest, of which a file may ask for two million numbers."""
    near = min(largest, GATE_REACH)
    elu = np.arange(-largest, largest + 1, dtype=np.float64)
    elu[: largest - near] = -ONE
    elu[largest - near : largest] = table(math.expm1, -near, -1)
    return elu


def check_exact_products(dtypes: Iterable[DTypeLike]) -> None:
    """Refuse to go on where products of matrices are rounded.

    They are looked at as large as a network's: small ones take other ways through the libraries.

    Raises:
        ModelError: they are.
    """
    for dtype in dtypes:
        if not _products_are_exact(np.dtype(dtype)):
            raise ModelError(
                f"products of {np.dtype(dtype)} matrices are rounded by this machine's NumPy, so nothing can be "
                "compressed or decompressed here; install another build of NumPy"
            )


@lru_cache
def _products_are_exact(dtype: np.dtype[np.generic]) -> bool:
    numbers = np.arange(128 * 128).reshape(128, 128)
    left, right = numbers * 7919 % 4099 - 2049, numbers * 104729 % 61 - 30
    return np.array_equal(left.astype(dtype) @ right.astype(dtype), left @ right)

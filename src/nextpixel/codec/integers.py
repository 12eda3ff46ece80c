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
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from typing import Any, NamedTuple

import torch
from torch import Tensor

from nextpixel.codec.tables import rounded
from nextpixel.errors import ModelError
from nextpixel.runtime.precision import Shared

FRACTION_BITS = 8
"""Fraction bits of activations and logits."""

ONE = 1 << FRACTION_BITS
NARROW_LIMIT, WIDE_LIMIT = 2.0**23, 2.0**50
MOST_WEIGHT_BITS, LEAST_WEIGHT_BITS = 14, 4
MOST_RANGE_BITS = 12
"""Of the integer part of an activation."""

GATE_REACH = 8 * ONE
"""Beyond 8, tanh and sigmoid are 1 to 3e-4."""


class Part(NamedTuple):
    """One of the inputs of a sum.

    Attributes:
        weight: float64 `[outputs, ...]`.
        largest: the largest absolute integer among these inputs.
        steps: how many integer steps of these inputs make 1: `ONE` for activations, `LevelEmbedding.steps` for an
            image.
    """

    weight: Tensor
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

    weights: list[Tensor]
    bias: Tensor
    scale: Tensor
    bits: Tensor

    def bias_of(self, labels: Tensor) -> Tensor:
        """The bias of each image, `[B, outputs]`."""
        return self.bias[labels] if len(self.bias) > 1 else self.bias.expand(len(labels), -1)


def integer_sum(parts: Sequence[Part], bias: Tensor, limit: float) -> Sum:
    """Turn weights and biases into integers.

    Args:
        parts: the inputs.
        bias: float64 `[conditions, outputs]`, for each condition its own.
        limit: below which every possible sum is to stay.
    """
    outputs = bias.shape[1]
    chosen = torch.full((outputs,), -1)
    for bits in range(MOST_WEIGHT_BITS, -1, -1):
        power = torch.full((outputs,), 2.0**bits, dtype=torch.float64)
        bound = _integers(bias, power * ONE).abs().amax(dim=0)
        for part in parts:
            bound = bound + _weights(part, power).abs().flatten(1).sum(dim=1) * part.largest
        chosen = torch.where((chosen < 0) & (bound < limit), bits, chosen)
    power = 2.0 ** chosen.double()
    return Sum([_weights(part, power) for part in parts], _integers(bias, power * ONE), 1 / power, chosen)


def _weights(part: Part, power: Tensor) -> Tensor:
    shape = (-1, *[1] * (part.weight.ndim - 1))
    # A product with a power of two is exact, so only the division rounds, as IEEE arithmetic says it must.
    return (part.weight * (power * ONE).view(shape) / part.steps).round()


def _integers(values: Tensor, power: Tensor) -> Tensor:
    return (values * power).round()


def table(function: Callable[[float], float], first: int, last: int) -> Tensor:
    """`ONE * function(i / ONE)`, rounded, for i from `first` to `last`; float64."""
    return torch.tensor([float(rounded(ONE * function(i / ONE))) for i in range(first, last + 1)], dtype=torch.float64)


@lru_cache(maxsize=1)
def gate_tables() -> Tensor:
    """The tables of tanh and of sigmoid over -GATE_REACH..GATE_REACH, one after the other."""
    reach = (-GATE_REACH, GATE_REACH)
    return torch.cat([table(math.tanh, *reach), table(lambda x: 1 / (1 + math.exp(-x)), *reach)])


@lru_cache(maxsize=32)
def elu_table(largest: int) -> Tensor:
    """The table of ELU over -largest..largest."""
    return table(lambda x: x if x > 0 else math.expm1(x), -largest, largest)


class Rounded:
    """What turns sums into activations, in place.

    Args:
        scale: see `Sum`.
        largest: activations are kept within this absolute integer.
        like: of the carrier's dtype and device.
    """

    def __init__(self, scale: Tensor, largest: int, like: Tensor) -> None:
        self.scale, self.largest = scale.to(like), largest

    def __call__(self, sums: Tensor) -> Tensor:
        """Activations of sums `[..., outputs]`."""
        return sums.mul_(self.scale).round_().clamp_(-self.largest, self.largest)


class Gate:
    """tanh of one half times sigmoid of the other, by tables.

    Args:
        like: of the carrier's dtype and device.
    """

    def __init__(self, like: Tensor) -> None:
        self.tables = gate_tables().to(like)

    def __call__(self, maps: Tensor) -> Tensor:
        """Gated features `[..., p]` of maps `[..., 2p]`, features before gates, within GATE_REACH."""
        features, gates = maps.chunk(2, dim=-1)
        t = self.tables[(features + GATE_REACH).long()]
        s = self.tables[(gates + (3 * GATE_REACH + 1)).long()]
        return t.mul_(s).mul_(1 / ONE).round_()


# PyTorch makes this part of its module at run time.
_MATMUL: Any = torch.backends.mkldnn.matmul  # type: ignore[attr-defined]


def _without_rounding() -> Callable[[], None]:
    before, _MATMUL.fp32_precision = _MATMUL.fp32_precision, "ieee"

    def restore() -> None:
        # What was may have been inherited from a wider setting, and should then follow it again.
        _MATMUL.fp32_precision = "none"
        if _MATMUL.fp32_precision != before:
            _MATMUL.fp32_precision = before

    return restore


_PRECISION = Shared(_without_rounding)


def _check_precision() -> None:
    if _MATMUL.fp32_precision != "ieee":
        raise ModelError(
            "the precision of matrix products was changed while something was compressed or decompressed; "
            "change it before or afterwards"
        )


@contextmanager
def exact_products(*dtypes: torch.dtype) -> Iterator[Callable[[], None]]:
    """Make products of matrices on the CPU exact for a while, whatever the program around it has chosen.

    Autocast and `torch.set_float32_matmul_precision` would have them computed from rounded inputs, which ruins a file.

    Args:
        dtypes: of the matrices.

    Yields:
        A function that looks whether they still are; to be called again and again.

    Raises:
        ModelError: they are not exact even so.
    """
    with _PRECISION.held(), torch.autocast("cpu", enabled=False):
        for dtype in dict.fromkeys(dtypes):
            _check_exact(dtype)
        yield _check_precision
        _check_precision()


def _check_exact(dtype: torch.dtype) -> None:
    """Look at products that are as large as a network's: small ones take other ways through the libraries."""
    numbers = torch.arange(128 * 128, device="cpu").view(128, 128)
    left, right = (numbers * 7919 % 4099 - 2049).to(dtype), (numbers * 104729 % 61 - 30).to(dtype)
    expected = left.double() @ right.double()
    for product in (left @ right, torch.addmm(torch.zeros_like(left), left, right)):
        if product.dtype != dtype or not torch.equal(product.double(), expected):
            raise ModelError(
                f"products of {dtype} matrices are rounded on this machine, so nothing can be compressed or "
                "decompressed here; unset ONEDNN_DEFAULT_FPMATH_MODE and the like"
            )

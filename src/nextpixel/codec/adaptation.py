"""Changes of a model's weights that come along in a file, so that it fits the pictures better.

A change is an integer for each number of some tensors of the model, times a power of two, and is added to the weights
in float32, as IEEE arithmetic says. As bytes it is, tensor after tensor: a varint, the tensor's place among the names
of the model's weights in ascending order, plus 1; the exponent; the share of zeros and the decay, in 256ths; at the
end a zero; then one stream of the coder (`nextpixel.coding.rans`) with all integers. Of 2^22 shares, zero has its part,
and the rest is divided among both signs and the magnitudes 1 to 127, each of which has the decay's part of the one
before, at least 1.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from nextpixel.codec.container import varint
from nextpixel.coding.rans import FIRST, PRECISION, STATE_BYTES, TOTAL, WORD, encode_lanes
from nextpixel.errors import DataError
from nextpixel.plan.stored_model import Array

MOST = 127
"""Magnitude of an integer."""

MOST_EXPONENT = 24
PARTS = 256


class Change(NamedTuple):
    """The change of one tensor.

    Attributes:
        steps: int64, of the tensor's shape, -127 to 127.
        exponent: a step is 2^-exponent.
    """

    steps: NDArray[np.int64]
    exponent: int


Adaptation = Mapping[str, Change]
"""Changes by the name of the weight."""


def adapted(weights: Mapping[str, Array], adaptation: Adaptation) -> dict[str, Array]:
    """The weights of a model, changed."""
    changed = dict(weights)
    for name, change in adaptation.items():
        weight = weights[name]
        changed[name] = weight + change.steps.astype(weight.dtype) * weight.dtype.type(2.0**-change.exponent)
    return changed


def to_bytes(weights: Mapping[str, Array], adaptation: Adaptation) -> bytes:
    """The bytes of changes of a model's weights; none for none."""
    changes = {name: change for name, change in adaptation.items() if change.steps.any()}
    if not changes:
        return b""
    header = bytearray()
    tables, symbols = [], []
    for place, name in enumerate(sorted(weights), 1):
        if name in changes:
            steps = changes[name].steps.reshape(-1)
            zeros, decay = _fitted(steps)
            header += bytes([*varint(place), changes[name].exponent, zeros, decay])
            tables.append(_starts(zeros, decay))
            symbols.append(np.where(steps > 0, 2 * steps - 1, -2 * steps))
    header.append(0)
    starts = np.concatenate([table[values] for table, values in zip(tables, symbols, strict=True)])
    ends = np.concatenate([table[values + 1] for table, values in zip(tables, symbols, strict=True)])
    columns = [values.astype(np.uint32)[:, None] for values in (starts, ends - starts)]
    return bytes(header) + encode_lanes(columns[0], columns[1], [len(starts)])[0]


def from_bytes(weights: Mapping[str, Array], data: bytes) -> Adaptation:
    """The other direction.

    Raises:
        DataError: the bytes are damaged, or of another model.
    """
    if not data:
        return {}
    names = sorted(weights)
    heads: list[tuple[str, int, int, int]] = []
    at, last = 0, 0
    while True:
        place, at = _read_varint(data, at)
        if place == 0:
            break
        if not last < place <= len(names) or at + 3 > len(data):
            raise DataError("the adaptation in the file does not fit the model: it is damaged")
        exponent, zeros, decay = data[at : at + 3]
        if not zeros:
            raise DataError("the adaptation in the file has a share of zeros of 0: it is damaged")
        if exponent > MOST_EXPONENT:
            raise DataError("the adaptation in the file changes weights by more than can be: it is damaged")
        heads.append((names[place - 1], exponent, zeros, decay))
        at, last = at + 3, place
    if not heads:
        raise DataError("the adaptation in the file changes nothing, and is not empty: it is damaged")
    decoder = _Decoder(data[at:])
    changes = {}
    for name, exponent, zeros, decay in heads:
        shape = weights[name].shape
        starts = _starts(zeros, decay).tolist()
        symbols = np.array([decoder.symbol(starts) for _ in range(math.prod(shape))], np.int64)
        steps = np.where(symbols % 2 == 1, (symbols + 1) // 2, -(symbols // 2))
        if not steps.any():
            raise DataError("the adaptation in the file has a tensor that it does not change: it is damaged")
        changes[name] = Change(steps.reshape(tuple(shape)), exponent)
    decoder.finish()
    return changes


def cost(steps: NDArray[np.int64]) -> float:
    """Bits that the integers of one tensor take."""
    if not steps.any():
        return 0.0
    starts = _starts(*_fitted(steps))
    symbols = np.where(steps > 0, 2 * steps - 1, -2 * steps).reshape(-1)
    return 8 * 4 - float(np.log2((starts[symbols + 1] - starts[symbols]) / TOTAL).sum())


def _fitted(steps: NDArray[np.int64]) -> tuple[int, int]:
    """The share of zeros and the decay that suit integers, in parts of 256."""
    magnitudes = np.abs(steps[steps != 0])
    zeros = round(PARTS * (1 - len(magnitudes) / steps.size))
    decay = round(PARTS * (1 - len(magnitudes) / max(1, magnitudes.sum())))
    return min(max(zeros, 1), PARTS - 1), min(max(decay, 1), PARTS - 1)


def _starts(zeros: int, decay: int) -> NDArray[np.int64]:
    """Where the shares of the symbols start: of 0, 1, -1, 2, -2, ..., and `TOTAL`."""
    zero = zeros * (TOTAL // PARTS)
    left = (TOTAL - zero) // 2
    # A geometric series of sum 1 / (1 - decay), in integers.
    size = max(1, left * (PARTS - decay) // PARTS)
    sizes = []
    for _ in range(MOST):
        sizes.append(size)
        size = max(1, size * decay // PARTS)
    sizes[0] += left - sum(sizes)
    return np.concatenate([[0], np.cumsum([zero, *np.repeat(sizes, 2)]), [TOTAL]])[: 2 * MOST + 2]


def _read_varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while at < len(data) and shift <= 28:
        value |= (data[at] & 127) << shift
        at += 1
        if data[at - 1] < 128:
            if shift and not data[at - 1]:
                raise DataError("the adaptation in the file spells a number in more bytes than it needs: it is damaged")
            return value, at
        shift += 7
    raise DataError("the adaptation in the file ends too early: it is damaged")


class _Decoder:
    """One stream, a symbol at a time; see `nextpixel.coding.rans`."""

    def __init__(self, data: bytes) -> None:
        self.state = int.from_bytes(data[:STATE_BYTES], "little")
        words = len(data) > STATE_BYTES
        shortest = words or len(data) == (self.state.bit_length() + 7) // 8
        if not shortest or (words and (len(data) % 2 == 1 or self.state < FIRST)):
            raise DataError("the adaptation in the file does not begin as streams do: it is damaged")
        self.words = np.frombuffer(data[STATE_BYTES:], "<u2").tolist()
        self.next = 0

    def symbol(self, starts: list[int]) -> int:
        slot = self.state & (TOTAL - 1)
        symbol = bisect_right(starts, slot) - 1
        self.state = (starts[symbol + 1] - starts[symbol]) * (self.state >> PRECISION) + slot - starts[symbol]
        while self.state < FIRST and self.next < len(self.words):
            self.state = self.state << WORD | self.words[self.next]
            self.next += 1
        return symbol

    def finish(self) -> None:
        if self.state or self.next != len(self.words):
            raise DataError("the adaptation in the file does not end where it should: it is damaged")

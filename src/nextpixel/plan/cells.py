"""The cell of an LSTM in integers.

Its gates are sums in units of 2^-8 within `GATE_REACH`, as those of the gated layers. What lasts needs more digits: the
memory has 12 fraction bits, and sigmoid and tanh have 14, as a forget gate near 1 is applied again and again.

    c = round((f c' + i g) * 2^-14)        f and i have 14 fraction bits, g and c' 12
    h = round(o tanh(round(c * 2^-4)) * 2^-20)
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from nextpixel.coding.tables import rounded
from nextpixel.plan.integers import FRACTION_BITS, GATE_REACH, ONE

MEMORY_BITS = 12
SIGMOID_BITS = 14
LARGEST_MEMORY = 1 << 24
"""A memory of 4096: a cell adds 1 at most, so that only much longer rows than any could reach it."""

Doubles = NDArray[np.float64]


class CellTables(NamedTuple):
    """Tables over -GATE_REACH..GATE_REACH.

    Attributes:
        sigmoid: with `SIGMOID_BITS` fraction bits.
        tanh: with `MEMORY_BITS` fraction bits, of what is written into the memory.
        squash: tanh with `SIGMOID_BITS` fraction bits, of the memory.
    """

    sigmoid: Doubles
    tanh: Doubles
    squash: Doubles


@lru_cache(maxsize=1)
def cell_tables() -> CellTables:
    """The tables."""

    def table(function: str, bits: int) -> Doubles:
        values = (i / ONE for i in range(-GATE_REACH, GATE_REACH + 1))
        if function == "tanh":
            return np.array([float(rounded(2**bits * math.tanh(value))) for value in values])
        return np.array([float(rounded(2**bits / (1 + math.exp(-value)))) for value in values])

    return CellTables(table("sigmoid", SIGMOID_BITS), table("tanh", MEMORY_BITS), table("tanh", SIGMOID_BITS))


def cell(gates: list[NDArray[np.int64]], memory: NDArray[np.floating], largest: int) -> tuple[Doubles, Doubles]:
    """The memories and states of cells.

    Args:
        gates: o, f, i and g, integers in units of 2^-8 within `GATE_REACH`.
        memory: what is handed on, integers in units of 2^-MEMORY_BITS.
        largest: bound of the new memory.

    Returns:
        The memory, and the state in units of 2^-8.
    """
    tables = cell_tables()
    o, f, i, g = (gate + GATE_REACH for gate in gates)
    new = tables.sigmoid[f] * memory + tables.sigmoid[i] * tables.tanh[g]
    new = np.clip(np.rint(new * 2.0**-SIGMOID_BITS), -largest, largest)
    seen = np.clip(np.rint(new * 2.0 ** (FRACTION_BITS - MEMORY_BITS)), -GATE_REACH, GATE_REACH).astype(np.int64)
    state = np.rint(tables.sigmoid[o] * tables.squash[seen + GATE_REACH] * 2.0 ** (FRACTION_BITS - 2 * SIGMOID_BITS))
    return new, state

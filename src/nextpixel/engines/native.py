"""The steps of a program, compiled: a row of sub-pixels at a time, decoded one after the other.

The same integers as those of `nextpixel.engines.engine`, without Python between them. numba compiles it when it is
first used, which takes some seconds, and keeps the result. Where numba is missing (extra `fast`), NumPy does the work.

A program is handed over as tables of integers: operations, what their sums read, and the runs of channels of the
colours. All maps lie in one array, all weights in another.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np

from nextpixel.coding.rans import FIRST, PRECISION, TOTAL, WORD
from nextpixel.plan.cells import MEMORY_BITS, SIGMOID_BITS
from nextpixel.plan.integers import FRACTION_BITS, GATE_REACH, ONE

SUM, RECTIFY, ELU, GATE, ADD, CELL = range(6)
"""Kinds of operations."""

(KIND, OUT, OUT_CHANNELS, OUT_LEFT, OTHER, OTHER_CHANNELS, OTHER_LEFT, SECOND, SECOND_CHANNELS, SECOND_LEFT) = range(10)
(BASE, OUTPUTS, WIDE, SCALE, LARGEST, FIRST_READING, END_READING, TABLE, MEMORY, MEMORY_BEFORE, SPANS) = range(10, 21)
OPERATION_FIELDS = 21
"""Columns of the table of operations. Places of maps are those of the first column of their row."""

(READ, READ_CHANNELS, READ_LEFT, READ_COLUMN, WEIGHTS, SEEN) = range(6)
READING_FIELDS = 6
"""Columns of the table of what sums read."""

MEMORY_SHIFT = 2.0 ** (FRACTION_BITS - MEMORY_BITS)
STATE_SHIFT = 2.0 ** (FRACTION_BITS - 2 * SIGMOID_BITS)
SIGMOID_SHIFT = 2.0**-SIGMOID_BITS

log = logging.getLogger(__name__)


def _accumulate(total, first, maps, place, weights, at, stride, inputs, outputs):  # type: ignore[no-untyped-def]
    """Add a product of a matrix and a vector to `total[first:]`, four inputs at a time."""
    full = inputs - inputs % 4
    for k in range(0, full, 4):
        a, b, c, d = maps[place + k], maps[place + k + 1], maps[place + k + 2], maps[place + k + 3]
        if a == 0 and b == 0 and c == 0 and d == 0:
            continue
        w = at + k * stride
        x, y, z = w + stride, w + 2 * stride, w + 3 * stride
        for o in range(outputs):
            total[first + o] += a * weights[w + o] + b * weights[x + o] + c * weights[y + o] + d * weights[z + o]
    for k in range(full, inputs):
        a = maps[place + k]
        w = at + k * stride
        for o in range(outputs):
            total[first + o] += a * weights[w + o]


def _decode_row(  # type: ignore[no-untyped-def]
    operations,
    readings,
    spans,
    seen,
    maps,
    narrow_bases,
    wide_bases,
    memories,
    narrow_weights,
    wide_weights,
    scales,
    elu_tables,
    tanh,
    sigmoid,
    cell_sigmoid,
    cell_tanh,
    cell_squash,
    level_table,
    image_place,
    exponentials,
    lanes,
    state,
    words,
    following,
    ends,
    spare,
    values,
):
    batch, colours, width = values.shape
    levels, level_maps = level_table.shape
    count = operations.shape[0]
    most = 0
    for i in range(count):
        most = max(most, operations[i, OUTPUTS])
    narrow = np.empty(most, np.float32)
    wide = np.empty(most, np.float64)
    shares = np.empty(levels, np.int64)
    last = operations[count - 1]
    for column in range(width):
        for colour in range(colours):
            for i in range(count):
                operation = operations[i]
                kind = operation[KIND]
                span = operation[SPANS] + 2 * colour
                start, stop = spans[span], spans[span + 1]
                size = stop - start
                channels = operation[OUT_CHANNELS]
                for image in range(batch):
                    out = operation[OUT] + ((operation[OUT_LEFT] + column) * batch + image) * channels + start
                    if kind in (SUM, CELL):
                        gates = size if kind == SUM else 4 * size
                        begin = start if kind == SUM else 4 * start
                        outputs = operation[OUTPUTS]
                        base = operation[BASE] + (column * batch + image) * outputs + begin
                        scale = operation[SCALE] + begin
                        if operation[WIDE]:
                            for o in range(gates):
                                wide[o] = wide_bases[base + o]
                        else:
                            for o in range(gates):
                                narrow[o] = narrow_bases[base + o]
                        for r in range(operation[FIRST_READING], operation[END_READING]):
                            reading = readings[r]
                            place = (reading[READ_LEFT] + column + reading[READ_COLUMN]) * batch + image
                            place = reading[READ] + place * reading[READ_CHANNELS]
                            inputs = seen[reading[SEEN] + colour]
                            if operation[WIDE]:
                                accumulate(
                                    wide, 0, maps, place, wide_weights, reading[WEIGHTS] + begin, outputs, inputs, gates
                                )
                            else:
                                accumulate(
                                    narrow,
                                    0,
                                    maps,
                                    place,
                                    narrow_weights,
                                    reading[WEIGHTS] + begin,
                                    outputs,
                                    inputs,
                                    gates,
                                )
                        if not operation[WIDE]:
                            for o in range(gates):
                                wide[o] = narrow[o]
                        largest = operation[LARGEST] if kind == SUM else GATE_REACH
                        for o in range(gates):
                            rounded = np.rint(wide[o] * scales[scale + o])
                            wide[o] = min(max(rounded, -largest), largest)
                        if kind == SUM:
                            for o in range(size):
                                maps[out + o] = wide[o]
                        else:
                            h = channels
                            now = operation[MEMORY] + (column * batch + image) * h + start
                            before = operation[MEMORY_BEFORE] + (column * batch + image) * h + start
                            bound = operation[LARGEST]
                            for o in range(size):
                                opened = cell_sigmoid[int(wide[o]) + GATE_REACH]
                                forget = cell_sigmoid[int(wide[size + o]) + GATE_REACH]
                                enter = cell_sigmoid[int(wide[2 * size + o]) + GATE_REACH]
                                new = cell_tanh[int(wide[3 * size + o]) + GATE_REACH]
                                memory = np.rint((forget * memories[before + o] + enter * new) * SIGMOID_SHIFT)
                                memory = min(max(memory, -bound), bound)
                                memories[now + o] = memory
                                place = int(min(max(np.rint(memory * MEMORY_SHIFT), -GATE_REACH), GATE_REACH))
                                maps[out + o] = np.rint(opened * cell_squash[place + GATE_REACH] * STATE_SHIFT)
                        continue
                    other = (operation[OTHER_LEFT] + column) * batch + image
                    other = operation[OTHER] + other * operation[OTHER_CHANNELS]
                    if kind == RECTIFY:
                        for o in range(size):
                            maps[out + o] = max(maps[other + start + o], np.float32(0))
                    elif kind == ELU:
                        table = operation[TABLE] + operation[LARGEST]
                        for o in range(size):
                            maps[out + o] = elu_tables[table + int(maps[other + start + o])]
                    elif kind == GATE:
                        other += 2 * start
                        for o in range(size):
                            t = int(min(max(maps[other + o], -GATE_REACH), GATE_REACH)) + GATE_REACH
                            s = int(min(max(maps[other + size + o], -GATE_REACH), GATE_REACH)) + GATE_REACH
                            maps[out + o] = np.rint(tanh[t] * sigmoid[s] * (1.0 / ONE))
                    else:
                        second = (operation[SECOND_LEFT] + column) * batch + image
                        second = operation[SECOND] + second * operation[SECOND_CHANNELS]
                        largest = operation[LARGEST]
                        for o in range(size):
                            added = maps[other + start + o] + maps[second + start + o]
                            maps[out + o] = min(max(added, -largest), largest)
            for image in range(batch):
                logits = last[OUT] + ((last[OUT_LEFT] + column) * batch + image) * last[OUT_CHANNELS] + colour * levels
                first = 0
                for level in range(1, levels):
                    if maps[logits + level] > maps[logits + first]:
                        first = level
                top = int(maps[logits + first])
                total = 0
                for level in range(levels):
                    distance = top - int(maps[logits + level])
                    share = exponentials[distance] if distance < len(exponentials) else 0
                    shares[level] = share
                    total += share
                left = TOTAL
                for level in range(levels):
                    length = 1 + shares[level] * (TOTAL - levels) // total
                    shares[level] = length
                    left -= length
                shares[first] += left
                lane = lanes[image]
                x = state[lane]
                slot = x & (TOTAL - 1)
                end = 0
                value = 0
                for level in range(levels):
                    end += shares[level]
                    if end > slot:
                        value = level
                        break
                x = shares[value] * (x >> PRECISION) + slot - (end - shares[value])
                if 0 < x < TOTAL and following[lane] == ends[lane]:
                    spare[lane] += math.log2(shares[value] / TOTAL)
                while x < FIRST and following[lane] < ends[lane]:
                    x = (x << WORD) | words[following[lane]]
                    following[lane] += 1
                state[lane] = x
                values[image, colour, column] = value
                place = image_place[0] + ((image_place[2] + column) * batch + image) * image_place[1]
                for o in range(level_maps):
                    maps[place + colour * level_maps + o] = level_table[value, o]


accumulate: Callable[..., None] = _accumulate
"""Replaced by what is compiled of it before `decode_row` is compiled."""


@lru_cache(maxsize=1)
def decode_row() -> Callable[..., None] | None:
    """The compiled decoder of a row; None without numba, which is said once."""
    try:
        from numba import njit
    except ImportError:
        log.info("numba is not installed (extra fast): NumPy decodes, some ten times slower")
        return None
    options: dict[str, Any] = {"cache": True, "nogil": True}
    globals()["accumulate"] = njit(**options)(_accumulate)
    compiled = njit(**options)(_decode_row)

    def timed(*arguments: Any) -> None:
        start = time.perf_counter()
        compiled(*arguments)
        if not timed_once:
            timed_once.append(time.perf_counter() - start)
            log.info("the compiled decoder was ready after %.1f s", timed_once[0])

    timed_once: list[float] = []
    return timed

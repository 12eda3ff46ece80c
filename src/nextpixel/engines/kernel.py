"""The compiled engine: whole rows of a program, and steps from sub-pixel to sub-pixel, without Python between them.

In integers it computes the same as `nextpixel.engines.engine` to the bit; in floats it draws. What is to be done stands
in tables (`nextpixel.engines.columns`); one function, `run`, does it, so that it is compiled once. Functions take
single arrays, not tuples of them, which numba would compile for three times as long. Inner loops go through slices from
their beginning: an index that might be negative is looked at every time, and keeps LLVM from using vectors.

A *point* is an image at a column. Those of a column, or of a row, lie beside each other, so that a step and a row are
the same product of matrices, with few points or many. Only where numba is installed can this be imported.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from nextpixel.coding.rans import FIRST as FIRST_STATE
from nextpixel.coding.rans import PRECISION, TOTAL, WORD
from nextpixel.engines import columns as at
from nextpixel.engines.products import Floats, add_product, compiled
from nextpixel.plan.cells import MEMORY_BITS, SIGMOID_BITS
from nextpixel.plan.integers import FRACTION_BITS, GATE_REACH, ONE

Singles = NDArray[np.float32]
Doubles = NDArray[np.float64]
Integers = NDArray[np.int64]

MEMORY_SHIFT = 2.0 ** (FRACTION_BITS - MEMORY_BITS)
STATE_SHIFT = 2.0 ** (FRACTION_BITS - 2 * SIGMOID_BITS)
SIGMOID_SHIFT = 2.0**-SIGMOID_BITS
REACH = GATE_REACH

# A rational approximation of tanh with the coefficients that Eigen's `ptanh_float` and XLA have, to some units of the
# last place, which LLVM turns into vectors; numbers beyond the limit are 1 in float32 but for its last digits. Calls of
# the library's tanh would take most of the time.
LIMIT = np.float32(7.90531110763549805)
A1, A3, A5, A7 = map(
    np.float32, (4.89352455891786e-03, 6.37261928875436e-04, 1.48572235717979e-05, 5.12229709037114e-08)
)
A9, A11, A13 = map(np.float32, (-8.60467152213735e-11, 2.00018790482477e-13, -2.76076847742355e-16))
B0, B2, B4, B6 = map(
    np.float32, (4.89352518554385e-03, 2.26843463243900e-03, 1.18534705686654e-04, 1.19825839466702e-06)
)
NONE, HALF, WHOLE, TWICE = map(np.float32, (0, 0.5, 1, 2))


@compiled
def tanh(x: np.float32) -> np.float32:
    """The tanh of a float; of what is no number no number."""
    if x > LIMIT:
        x = LIMIT
    if x < -LIMIT:
        x = -LIMIT
    s = x * x
    above = ((((((A13 * s + A11) * s + A9) * s + A7) * s + A5) * s + A3) * s + A1) * x
    return above / (((B6 * s + B4) * s + B2) * s + B0)


# Sums ---------------------------------------------------------------------------------------------------------------


@compiled
def begin_sum(totals: Floats, first: int, biases: Floats, prefix: int, width: int, points: int) -> None:
    """Set the sums of all points to their biases, `[1 or B, ...]`, of which `width` are theirs."""
    image = 0
    for point in range(points):
        total = totals[first + point * width : first + (point + 1) * width]
        bias = biases[image, prefix : prefix + width]
        for o in range(width):
            total[o] = bias[o]
        image += 1
        if image == len(biases):
            image = 0


@compiled
def finish_sum(
    numbers: Singles, out: int, channels: int, sums: Singles, total: int, width: int, size: int, points: int
) -> None:
    """Make the map of a sum in floats."""
    for point in range(points):
        made = numbers[out + point * channels : out + point * channels + size]
        here = sums[total + point * width : total + point * width + size]
        for o in range(size):
            made[o] = here[o]


@compiled
def round_sum(
    numbers: Singles,
    out: int,
    channels: int,
    sums: Floats,
    total: int,
    width: int,
    size: int,
    points: int,
    scales: Doubles,
    scale: int,
    largest: int,
) -> None:
    """Make the map of a sum in integers: rounded, and within its bound."""
    factors, low, high = scales[scale : scale + size], np.float64(-largest), np.float64(largest)
    for point in range(points):
        made = numbers[out + point * channels : out + point * channels + size]
        here = sums[total + point * width : total + point * width + size]
        for o in range(size):
            made[o] = min(max(np.rint(here[o] * factors[o]), low), high)


# Cells --------------------------------------------------------------------------------------------------------------


@compiled
def finish_cell(
    numbers: Singles,
    out: int,
    now: int,
    before: int,
    channels: int,
    sums: Singles,
    total: int,
    width: int,
    size: int,
    points: int,
) -> None:
    """Make the states and memories of cells in floats, of the sums of their gates."""
    for point in range(points):
        here, shift = total + point * width, point * channels
        gates = sums[here : here + 4 * size]
        for o in range(4 * size):
            # sigmoid x = 1/2 + 1/2 tanh (x/2), of all gates but the last.
            factor = HALF if o < 3 * size else WHOLE
            gates[o] = (WHOLE - factor) + factor * tanh(factor * gates[o])
        forget, enter, new = gates[size : 2 * size], gates[2 * size : 3 * size], gates[3 * size :]
        kept = numbers[before + shift : before + shift + size]
        memory = numbers[now + shift : now + shift + size]
        state = numbers[out + shift : out + shift + size]
        for o in range(size):
            memory[o] = forget[o] * kept[o] + enter[o] * new[o]
        for o in range(size):
            state[o] = gates[o] * tanh(memory[o])


@compiled
def round_cell(
    numbers: Singles,
    out: int,
    now: int,
    before: int,
    channels: int,
    sums: Floats,
    total: int,
    width: int,
    size: int,
    points: int,
    scales: Doubles,
    scale: int,
    largest: int,
    tables: Doubles,
) -> None:
    """Make the states and memories of cells in integers; `tables` are those of `cell_tables`, one a row."""
    for point in range(points):
        here, shift = total + point * width, point * channels
        for o in range(4 * size):
            gate = np.rint(sums[here + o] * scales[scale + o])
            sums[here + o] = min(max(gate, -REACH), REACH) + REACH
        for o in range(size):
            kept = tables[0, int(sums[here + size + o])] * numbers[before + shift + o]
            added = tables[0, int(sums[here + 2 * size + o])] * tables[1, int(sums[here + 3 * size + o])]
            state = min(max(np.rint((kept + added) * SIGMOID_SHIFT), -largest), largest)
            numbers[now + shift + o] = state
            seen = int(min(max(np.rint(state * MEMORY_SHIFT), -REACH), REACH)) + REACH
            numbers[out + shift + o] = np.rint(tables[0, int(sums[here + o])] * tables[2, seen] * STATE_SHIFT)


# Operations at the pixel itself ---------------------------------------------------------------------------------------


@compiled
def pointwise(
    kind: int, numbers: Singles, out: int, channels: int, read: int, wide: int, second: int, size: int, points: int
) -> None:
    """Make a map of one or two others in floats.

    Args:
        kind: see `columns`.
        numbers: of all maps.
        out: where the map begins.
        channels: from point to point.
        read: where the source begins.
        wide: from point to point of it.
        second: where the other summand begins.
        size: channels that are made.
        points: how many.
    """
    for point in range(points):
        here = numbers[read + point * wide : read + point * wide + size]
        made = numbers[out + point * channels : out + point * channels + size]
        if kind == at.GATE:
            gates = numbers[read + point * wide + size : read + point * wide + 2 * size]
            for o in range(size):
                made[o] = tanh(here[o]) * (HALF + HALF * tanh(HALF * gates[o]))
        elif kind == at.RECTIFY:
            for o in range(size):
                made[o] = NONE if here[o] < NONE else here[o]
        elif kind == at.ADD:
            beside = numbers[second + point * channels : second + point * channels + size]
            for o in range(size):
                made[o] = here[o] + beside[o]
        elif kind == at.ELU:
            for o in range(size):
                value = here[o]
                t = tanh(HALF * (NONE if value > NONE else value))
                made[o] = value if value > NONE else TWICE * t / (WHOLE - t)
        elif kind == at.ZERO:
            made[:] = NONE
        else:
            for o in range(size):
                made[o] = here[o]


@compiled
def by_table(
    kind: int,
    numbers: Singles,
    out: int,
    channels: int,
    read: int,
    wide: int,
    size: int,
    points: int,
    largest: int,
    elus: Singles,
    table: int,
    tables: Doubles,
) -> None:
    """What integers need beyond `pointwise`: bounds, and functions by tables; those of a gate are rows of `tables`."""
    for point in range(points):
        here, there = read + point * wide, out + point * channels
        for o in range(size):
            value = numbers[here + o]
            if kind == at.ADD:
                numbers[there + o] = min(max(numbers[there + o], -largest), largest)
            elif kind == at.ELU:
                numbers[there + o] = elus[table + int(value)]
            else:
                tanh_place = int(min(max(value, -REACH), REACH)) + REACH
                sigmoid_place = int(min(max(numbers[here + size + o], -REACH), REACH)) + REACH
                numbers[there + o] = np.rint(tables[0, tanh_place] * tables[1, sigmoid_place] * (1.0 / ONE))


# Values -------------------------------------------------------------------------------------------------------------


@compiled
def draw(logits: Singles, uniform: float, temperature: float, shares: Doubles) -> int:
    """Draw a level, as `nextpixel.nn.distributions.draw` does; its nats are put into `shares[0]`.

    Of logits that are no numbers the nats are none either.
    """
    levels = len(logits)
    best = 0
    for level in range(1, levels):
        if logits[level] > logits[best]:
            best = level
    top = np.float64(logits[best])
    total = 0.0
    for level in range(levels):
        shares[level] = math.exp(np.float64(logits[level]) - top)
        total += shares[level]
    value = best
    if temperature != 0:
        whole = total
        if temperature != 1:
            whole = 0.0
            for level in range(levels):
                shares[level] = math.exp((np.float64(logits[level]) - top) / temperature)
                whole += shares[level]
        reached = 0.0
        for level in range(levels):
            reached += shares[level] / whole
            shares[level] = reached
        target = uniform * reached
        value = 0
        while value < levels - 1 and shares[value] <= target:
            value += 1
    shares[0] = np.float64(logits[value]) - top - math.log(total)
    return value


@compiled
def decode(
    logits: Singles,
    exponentials: Integers,
    shares: Integers,
    lane: int,
    state: Integers,
    words: Integers,
    following: Integers,
    ends: Integers,
    spare: Doubles,
) -> int:
    """Decode a level, as `nextpixel.coding.rans.LaneDecoder` does by `nextpixel.coding.tables.frequencies`."""
    levels = len(logits)
    first = 0
    for level in range(1, levels):
        if logits[level] > logits[first]:
            first = level
    top = int(logits[first])
    total = 0
    for level in range(levels):
        distance = top - int(logits[level])
        share = exponentials[distance] if distance < len(exponentials) else 0
        shares[level] = share
        total += share
    left = TOTAL
    for level in range(levels):
        length = 1 + shares[level] * (TOTAL - levels) // total
        shares[level] = length
        left -= length
    shares[first] += left
    x = state[lane]
    slot = x & (TOTAL - 1)
    end, value = shares[0], 0
    while end <= slot:
        value += 1
        end += shares[value]
    if 0 < x < TOTAL and following[lane] == ends[lane]:
        spare[lane] += math.log2(shares[value] / TOTAL)
    x = shares[value] * (x >> PRECISION) + slot - (end - shares[value])
    while x < FIRST_STATE and following[lane] < ends[lane]:
        x = (x << WORD) | words[following[lane]]
        following[lane] += 1
    state[lane] = x
    return value


# Rows ---------------------------------------------------------------------------------------------------------------


@compiled
def place_in(ring: Integers, row: int, column: int, batch: int) -> int:
    """Where the numbers of the images at a row and a column begin, in a ring, a row of the table `rings`."""
    row_begins = ring[at.START] + row % ring[at.ROWS] * ring[at.ROW_SIZE]
    place: int = row_begins + (ring[at.LEFT] + column * ring[at.COLUMNS_APART]) * batch * ring[at.CHANNELS]
    return place


@compiled
def run(
    jobs: Integers,
    starts: Integers,
    readings: Integers,
    rings: Integers,
    numbers: Singles,
    sums: Singles,
    wide_sums: Doubles,
    weights: Singles,
    wide_weights: Doubles,
    biases: Singles,
    wide_biases: Doubles,
    scales: Doubles,
    elus: Singles,
    gate_tables: Doubles,
    cell_tables: Doubles,
    exact: bool,
    points_of_row: int,
    row: int,
    first_column: int,
    end_column: int,
    then: int,
    logits: int,
    level_table: Singles,
    images: NDArray[np.uint8],
    known: NDArray[np.bool_],
    uniforms: Doubles,
    nats: Singles,
    temperature: float,
    shares: Doubles,
    exponentials: Integers,
    integer_shares: Integers,
    lanes: Integers,
    state: Integers,
    words: Integers,
    following: Integers,
    ends: Integers,
    spare: Doubles,
) -> None:
    """Do jobs at each column and colour; see `nextpixel.engines.tables` for what the arrays are.

    Args:
        jobs: to be done.
        starts: where the jobs of each colour begin, and where those of the last one end; of sub-pixels that all images
            know those of `starts[1]`.
        readings: of sums.
        rings: of maps.
        numbers: all maps.
        sums: in float32.
        wide_sums: in float64.
        weights: of sums in float32.
        wide_weights: of sums in float64.
        biases: of sums in float32.
        wide_biases: of sums in float64.
        scales: of sums in integers.
        elus: tables of integers, as the next two.
        gate_tables: see there.
        cell_tables: see there.
        exact: whether the numbers are integers.
        points_of_row: of all images.
        row: of the images.
        first_column: at which the jobs are done first.
        end_column: before which they end.
        then: what follows the jobs of a sub-pixel; see `columns`.
        logits: the ring of the last map.
        level_table: what stands for a level.
        images: where values are, and go.
        known: which of them are known.
        uniforms: of the draws.
        nats: where those of the draws go.
        temperature: of the draws.
        shares: room for the levels.
        exponentials: table of the decoder.
        integer_shares: room for the levels.
        lanes: of the images, in a decoder.
        state: of the decoder, as the next four.
        words: see there.
        following: see there.
        ends: see there.
        spare: see there.
    """
    batch, colours = images.shape[0], images.shape[1]
    levels, maps = level_table.shape
    for column in range(first_column, end_column):
        unknown = 1
        if then != at.PLAIN:
            unknown = 0
            for image in range(batch):
                for colour in range(colours):
                    if not known[image, colour, row, column]:
                        unknown = 1
        for colour in range(colours if then != at.PLAIN else 1):
            for number in range(starts[1 - unknown, colour], starts[1 - unknown, colour + 1]):
                job = jobs[number]
                kind, points, size, width = job[at.KIND], job[at.POINTS], job[at.SIZE], job[at.WIDTH]
                here = column + job[at.COLUMN]
                total = job[at.PREFIX] * points_of_row + here * batch * width * job[at.SPREAD]
                if job[at.BEGINS]:
                    if job[at.WIDE]:
                        begin_sum(wide_sums, total, wide_biases, job[at.PREFIX], width, points)
                    else:
                        begin_sum(sums, total, biases, job[at.PREFIX], width, points)
                for reading in range(job[at.READINGS], job[at.READINGS_END]):
                    view = readings[reading]
                    ring = rings[view[at.SOURCE]]
                    channels = ring[at.CHANNELS]
                    place = place_in(ring, row + view[at.ROW], here + view[at.PLACE], batch)
                    if job[at.WIDE]:
                        add_product(
                            wide_sums,
                            total,
                            numbers,
                            place,
                            channels,
                            wide_weights,
                            view[at.WEIGHTS],
                            width,
                            view[at.SEEN],
                            points,
                        )
                    else:
                        add_product(
                            sums,
                            total,
                            numbers,
                            place,
                            channels,
                            weights,
                            view[at.WEIGHTS],
                            width,
                            view[at.SEEN],
                            points,
                        )
                if not job[at.FINISHES]:
                    continue
                ring = rings[job[at.OUT]]
                channels = ring[at.CHANNELS]
                out = place_in(ring, row, here, batch) + job[at.FIRST]
                scale, largest = job[at.SCALE], job[at.LARGEST]
                if kind == at.SUM:
                    if not exact and channels == width == size:
                        # Everything lies side by side: one long loop instead of many short ones.
                        finish_sum(numbers, out, 0, sums, total, 0, size * points, 1)
                    elif not exact:
                        finish_sum(numbers, out, channels, sums, total, width, size, points)
                    elif job[at.WIDE]:
                        round_sum(numbers, out, channels, wide_sums, total, width, size, points, scales, scale, largest)
                    else:
                        round_sum(numbers, out, channels, sums, total, width, size, points, scales, scale, largest)
                    continue
                if kind == at.CELL:
                    ring = rings[job[at.MEMORY]]
                    now = place_in(ring, row, here, batch) + job[at.FIRST]
                    before = place_in(ring, row + job[at.MEMORY_ROW], here, batch) + job[at.FIRST]
                    before += job[at.MEMORY_COLUMN] * batch * channels
                    if not exact:
                        finish_cell(numbers, out, now, before, channels, sums, total, width, size, points)
                    elif job[at.WIDE]:
                        round_cell(
                            numbers,
                            out,
                            now,
                            before,
                            channels,
                            wide_sums,
                            total,
                            width,
                            size,
                            points,
                            scales,
                            scale,
                            largest,
                            cell_tables,
                        )
                    else:
                        round_cell(
                            numbers,
                            out,
                            now,
                            before,
                            channels,
                            sums,
                            total,
                            width,
                            size,
                            points,
                            scales,
                            scale,
                            largest,
                            cell_tables,
                        )
                    continue
                ring = rings[job[at.READ]]
                wide = ring[at.CHANNELS]
                source_row = row - 1 if kind == at.SHIFT else row
                if kind == at.SHIFT and row == 0:
                    kind = at.ZERO
                read = place_in(ring, source_row, here, batch) + job[at.FIRST] * (2 if kind == at.GATE else 1)
                second = place_in(rings[job[at.SECOND]], row, here, batch) + job[at.FIRST]
                if not exact and kind != at.GATE and channels == wide == size:
                    pointwise(kind, numbers, out, 0, read, 0, second, size * points, 1)
                elif not exact or kind not in (at.GATE, at.ELU):
                    pointwise(kind, numbers, out, channels, read, wide, second, size, points)
                if exact and kind in (at.GATE, at.ELU, at.ADD):
                    table = job[at.TABLE]
                    by_table(kind, numbers, out, channels, read, wide, size, points, largest, elus, table, gate_tables)
            if then == at.PLAIN:
                continue
            ring = rings[logits]
            place = place_in(ring, row, column, batch) + colour * levels
            image_ring = rings[0]
            entry = place_in(image_ring, row, column, batch) + colour * maps
            for image in range(batch):
                begin = place + image * ring[at.CHANNELS]
                if not known[image, colour, row, column]:
                    outputs = numbers[begin : begin + levels]
                    if then == at.DECODE:
                        images[image, colour, row, column] = decode(
                            outputs, exponentials, integer_shares, lanes[image], state, words, following, ends, spare
                        )
                    else:
                        uniform = uniforms[image, colour, row, column]
                        images[image, colour, row, column] = draw(outputs, uniform, temperature, shares)
                        nats[image, colour, row, column] = shares[0]
                value = images[image, colour, row, column]
                for o in range(maps):
                    numbers[entry + image * image_ring[at.CHANNELS] + o] = level_table[value, o]

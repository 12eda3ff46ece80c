"""The lowering of the frame of PixelRNN's paper (`nextpixel.families.residual_network`) and of its cores."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from nextpixel.nn.masks import ChannelGroups
from nextpixel.plan.cells import LARGEST_MEMORY, MEMORY_BITS
from nextpixel.plan.integers import ONE
from nextpixel.plan.lowering.builder import Builder, Kernel
from nextpixel.plan.lowering.head import lower_head, rectify
from nextpixel.plan.operations import Add, Cell, Program, Rectify, Shift, Tap
from nextpixel.plan.stored_model import StoredModel


class Source(NamedTuple):
    """A map that is read.

    Attributes:
        name: of the map.
        groups: the colours of its channels.
        largest: the largest absolute integer of it.
    """

    name: str
    groups: ChannelGroups
    largest: int


Core = Callable[[Builder, str, Source, ChannelGroups, Sequence[int]], Source]
"""Lowers the core of a block: the program, the name of the core, what it reads, the colours of what it makes, and the
bounds of its activations, as many as `Frame.ranges`."""


def lower_convolutions(
    builder: Builder, name: str, maps: Source, hidden: ChannelGroups, bounds: Sequence[int]
) -> Source:
    """The core of a PixelCNN: convolutions between ReLUs."""
    model, (narrow_bound, wide_bound) = builder.model, bounds
    active = builder.add(Rectify(f"{name}.active", maps.groups, maps.name))
    kernel = Kernel(active, builder.masked(f"{name}.narrow", maps.groups, hidden, "B"), 0, 0, maps.largest)
    bias = builder.conditions(model.doubles(f"{name}.narrow.bias"))
    narrow = builder.sum(f"{name}.narrow", hidden, [kernel], bias, narrow_bound)
    active = builder.add(Rectify(f"{name}.narrow.active", hidden, narrow))
    weight = builder.masked(f"{name}.wide", hidden, hidden, "B")
    kernel = Kernel(active, weight, 1 - weight.shape[2], -(weight.shape[3] // 2), narrow_bound)
    bias = builder.conditions(model.doubles(f"{name}.wide.bias"), f"{name}.condition")
    wide = builder.sum(f"{name}.wide", hidden, [kernel], bias, wide_bound)
    return Source(builder.add(Rectify(f"{name}.hidden", hidden, wide)), hidden, wide_bound)


def lower_row_lstm(builder: Builder, name: str, maps: Source, hidden: ChannelGroups, _: Sequence[int]) -> Source:
    """The core of a Row LSTM."""
    weight = builder.masked(f"{name}.input_to_state", maps.groups, hidden.repeat(4), "B")
    kernel = Kernel(maps.name, weight, 0, 1 - weight.shape[3], maps.largest)
    bias = builder.model.doubles(f"{name}.input_to_state.bias")
    reach = weight.shape[3] - 1
    places = [(-1, column) for column in range(-reach, reach + 1)]
    made = _cell(builder, name, name, hidden, kernel, bias, places, reach, 0)
    return Source(made, hidden, ONE)


def lower_diagonal(builder: Builder, name: str, maps: Source, hidden: ChannelGroups, _: Sequence[int]) -> Source:
    """The core of a Diagonal BiLSTM."""
    weight = builder.masked(f"{name}.input_to_state", maps.groups, hidden.repeat(8), "B")
    bias = builder.model.doubles(f"{name}.input_to_state.bias")
    made = []
    for direction, (side, suffix) in enumerate(((-1, "forward"), (1, "mirrored"))):
        outputs_here = slice(direction * 4 * hidden.channels, (direction + 1) * 4 * hidden.channels)
        kernel = Kernel(maps.name, weight[outputs_here], 0, 0, maps.largest)
        places = [(0, side), (-1, 0)]
        made.append(
            _cell(
                builder,
                f"{name}.{suffix}",
                name,
                hidden,
                kernel,
                bias[outputs_here],
                places,
                0,
                direction,
                outputs_here,
            )
        )
    above = builder.add(Shift(f"{name}.above", hidden, made[1]))
    return Source(builder.add(Add(f"{name}.both", hidden, made[0], above, 2 * ONE)), hidden, 2 * ONE)


def _cell(
    builder: Builder,
    name: str,
    weights: str,
    hidden: ChannelGroups,
    kernel: Kernel,
    bias: np.ndarray[tuple[int, ...], np.dtype[np.float64]],
    places: Sequence[tuple[int, int]],
    memory: int,
    direction: int,
    outputs: slice = slice(None),
) -> str:
    """Put the cells of an LSTM at the end; the name of their states."""
    model = builder.model
    first = np.rint(model.doubles(f"{weights}.recurrence.hidden")[direction].reshape(-1) * ONE)
    first_memory = np.rint(model.doubles(f"{weights}.recurrence.memory")[direction].reshape(-1) * 2.0**MEMORY_BITS)
    taps = model.doubles(f"{weights}.recurrence.weight")[:, direction]
    largest = max(ONE, int(np.abs(first).max()))
    states = [
        Kernel(name, tap[:, :, None, None], row, column, largest, hidden_right=False)
        for tap, (row, column) in zip(taps, places, strict=True)
    ]
    biases = np.broadcast_to(bias[None], (max(1, builder.classes), len(bias)))
    if builder.classes:
        biases = biases + model.doubles(f"{weights}.condition.vector")[outputs].T
    (inputs, *rest), integers, scale = builder.integers([kernel, *states], biases, builder.limit)
    recurrent: tuple[Tap, ...] = tuple(tap for part in rest for tap in part.taps)
    return builder.add(
        Cell(
            name,
            hidden,
            (inputs,),
            integers,
            scale,
            LARGEST_MEMORY,
            recurrent,
            memory,
            first,
            np.clip(first_memory, -LARGEST_MEMORY, LARGEST_MEMORY),
            limit=builder.limit,
        )
    )


class Frame(NamedTuple):
    """What differs between the families.

    Attributes:
        core: lowers a block's core.
        ranges: how many activations a core measures.
        beyond: columns right of the image of which the maps are computed as well.
    """

    core: Core
    ranges: int
    beyond: int = 0


PIXELCNN = Frame(lower_convolutions, 2)
ROW_LSTM = Frame(lower_row_lstm, 0)
DIAGONAL_BILSTM = Frame(lower_diagonal, 0, beyond=1)


def ranges_of_residual(frame: Frame, model: StoredModel) -> int:
    """How many ranges there are: the first maps, for each block its core's and its outputs, then those of the head."""
    return 1 + (frame.ranges + 1) * int(model.option("layers")) + 2


def lower_residual(frame: Frame, model: StoredModel, ranges: Sequence[int], limit: float, head_limit: float) -> Program:
    """The program of a model of the PixelRNN paper."""
    builder = Builder(model, ranges, limit, head_limit)
    layers, skips, residual = int(model.option("layers")), bool(model.option("skips")), bool(model.option("residual"))
    bias = model.doubles("first.bias")
    maps = ChannelGroups.split(len(bias), builder.colours)
    hidden = ChannelGroups.split(len(bias) // 2, builder.colours)
    n = maps.channels
    weight = builder.masked("first", builder.image, maps, "A")
    kernel = Kernel(
        "image", weight, 1 - weight.shape[2], -(weight.shape[3] // 2), builder.image_largest, builder.image_steps
    )
    bounds = iter(builder.bounds)
    bound = next(bounds)
    source = Source(builder.sum("first", maps, [kernel], builder.conditions(bias), bound), maps, bound)
    skip_kernels, skip_bias = [], np.zeros(n)
    for block in range(layers):
        name = f"blocks.{block}"
        core = frame.core(builder, f"{name}.core", source, hidden, [next(bounds) for _ in range(frame.ranges)])
        bound = next(bounds)
        goes_on = not (skips and block == layers - 1)
        out = builder.masked(f"{name}.out", hidden, maps.repeat(2) if skips and goes_on else maps, "B")
        bias = model.doubles(f"{name}.out.bias")
        if skips:
            skip_kernels.append(Kernel(core.name, out[-n:], 0, 0, core.largest))
            # One after the other: a reduction adds in an order of its own on every machine.
            skip_bias = bias[-n:] if block == 0 else skip_bias + bias[-n:]
        if goes_on:
            kernel = Kernel(core.name, out[:n], 0, 0, core.largest)
            made = builder.sum(f"{name}.out", maps, [kernel], builder.conditions(bias[:n]), bound)
            if residual:
                made = builder.add(Add(f"{name}.maps", maps, made, source.name, bound))
            source = Source(made, maps, bound)
    read_bound, hidden_bound = bounds
    if skips:
        made = builder.sum("skips", maps, skip_kernels, builder.conditions(skip_bias), read_bound)
        source = Source(made, maps, read_bound)
    lower_head(builder, source.name, maps, bound if not skips else read_bound, hidden_bound, rectify)
    return builder.program(frame.beyond)

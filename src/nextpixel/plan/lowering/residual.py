"""The lowering of the frame of PixelRNN's paper (`nextpixel.families.residual_network`) and of its cores."""

from __future__ import annotations

from collections.abc import Callable

from nextpixel.nn.masks import ChannelGroups
from nextpixel.plan.integers import ONE
from nextpixel.plan.lowering.builder import Builder, Kernel, Map
from nextpixel.plan.lowering.head import lower_head
from nextpixel.plan.lowering.layer_outputs import LayerOutputs
from nextpixel.plan.operations import Program

Core = Callable[[Builder, str, Map, ChannelGroups], Map]
"""Lowers the core of a block: the program, the name of the core, what it reads, the colours of what it makes."""


def lower_convolutions(builder: Builder, name: str, maps: Map, hidden: ChannelGroups) -> Map:
    """The core of a PixelCNN: convolutions between ReLUs."""
    narrow_bound, wide_bound = builder.bound(f"{name}.narrow"), builder.bound(f"{name}.hidden")
    active = builder.rectify(f"{name}.active", maps)
    made = builder.convolution(f"{name}.narrow", active, hidden, "B", narrow_bound)
    active = builder.rectify(f"{name}.narrow.active", made)
    made = builder.convolution(f"{name}.wide", active, hidden, "B", wide_bound, f"{name}.condition")
    return builder.rectify(f"{name}.hidden", made)


def lower_row_lstm(builder: Builder, name: str, maps: Map, hidden: ChannelGroups) -> Map:
    """The core of a Row LSTM."""
    weight = builder.masked(f"{name}.input_to_state", maps.groups, hidden.repeat(4), "B")
    reach = weight.shape[3] - 1
    places = [(-1, column) for column in range(-reach, reach + 1)]
    return builder.cell(name, name, hidden, Kernel(maps, weight, column=-reach), places, reach)


def lower_diagonal(builder: Builder, name: str, maps: Map, hidden: ChannelGroups) -> Map:
    """The core of a Diagonal BiLSTM."""
    weight = builder.masked(f"{name}.input_to_state", maps.groups, hidden.repeat(8), "B")
    made = []
    for direction, (side, suffix) in enumerate(((-1, "forward"), (1, "mirrored"))):
        outputs = slice(direction * 4 * hidden.channels, (direction + 1) * 4 * hidden.channels)
        kernel = Kernel(maps, weight[outputs])
        places = [(0, side), (-1, 0)]
        made.append(builder.cell(f"{name}.{suffix}", name, hidden, kernel, places, 0, direction, outputs))
    return builder.plus(f"{name}.both", made[0], builder.shift(f"{name}.above", made[1]), 2 * ONE)


def lower_residual(builder: Builder, core: Core, beyond: int = 0) -> Program:
    """The program of a model of the PixelRNN paper.

    Its bounds are those of the first maps, for each block its core's and that of its outputs, then those of the head.

    Args:
        builder: the program.
        core: lowers a block's core.
        beyond: columns right of the image of which the maps are computed as well.
    """
    model = builder.model
    layers, skips, residual = model.integer("layers"), bool(model.option("skips")), bool(model.option("residual"))
    width = len(model.doubles("first.bias"))
    maps = ChannelGroups.split(width, builder.colours)
    hidden = ChannelGroups.split(width // 2, builder.colours)
    bound = builder.bound("first")
    source = builder.convolution("first", builder.image, maps, "A", bound)
    outputs = LayerOutputs(builder, maps, skips=skips)
    for block in range(layers):
        name = f"blocks.{block}"
        goes_on = not (skips and block == layers - 1)
        made = core(builder, f"{name}.core", source, hidden)
        made_name = f"{name}.maps" if residual else f"{name}.out"
        bound = builder.bound(made_name if goes_on else source.name)
        out = outputs.convolution(f"{name}.out", made, bound, goes_on=goes_on)
        if out is not None:
            source = builder.plus(f"{name}.maps", out, source, bound) if residual else out
    lower_head(builder, outputs.read_by_head(source), builder.rectify)
    return builder.program(beyond)

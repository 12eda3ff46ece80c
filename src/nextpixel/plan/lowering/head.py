"""The lowering of the head (`nextpixel.nn.head`)."""

from __future__ import annotations

from collections.abc import Callable

from nextpixel.nn.masks import ChannelGroups
from nextpixel.plan.integers import LARGEST_LOGIT, ONE
from nextpixel.plan.lowering.builder import Builder, Map


def lower_head(builder: Builder, source: Map, activation: Callable[[str, Map], Map], module: str = "readout") -> None:
    """Put a head at the end.

    Args:
        builder: the program.
        source: what the head reads.
        activation: adds its nonlinearity: `builder.rectify` or `builder.exponential_unit`.
        module: name of the head in the model.
    """
    model = builder.model
    largest = builder.bound(f"{module}.hidden")
    hidden = ChannelGroups.split(len(model.doubles(f"{module}.hidden.bias")), builder.colours)
    outputs = ChannelGroups.split(len(model.doubles(f"{module}.output.bias")), builder.colours)
    # The tables of this file format say so of ReLUs, too.
    read = activation(f"{module}.features", source)._replace(largest=max(source.largest, ONE))
    made = builder.convolution(f"{module}.hidden", read, hidden, "B", largest, head=True)
    made = activation(f"{module}.hidden.active", made)._replace(largest=max(largest, ONE))
    builder.convolution(f"{module}.output", made, outputs, "B", LARGEST_LOGIT, head=True)

"""The lowering of the head (`nextpixel.nn.head`)."""

from __future__ import annotations

from collections.abc import Callable

from nextpixel.nn.masks import ChannelGroups
from nextpixel.plan.integers import LARGEST_LOGIT, ONE
from nextpixel.plan.lowering.builder import Builder, Kernel
from nextpixel.plan.operations import ExponentialUnit, Operation, Rectify

Activation = Callable[[str, ChannelGroups, str, int], Operation]


def rectify(name: str, groups: ChannelGroups, source: str, largest: int) -> Operation:  # noqa: ARG001 - an Activation
    """A ReLU."""
    return Rectify(name, groups, source)


def exponential_unit(name: str, groups: ChannelGroups, source: str, largest: int) -> Operation:
    """An ELU."""
    return ExponentialUnit(name, groups, source, largest)


def lower_head(
    builder: Builder, source: str, features: ChannelGroups, largest: int, largest_hidden: int, activation: Activation
) -> None:
    """Put the head at the end.

    Args:
        builder: the program.
        source: name of the map that the head reads.
        features: the colours of its channels.
        largest: its bound.
        largest_hidden: the bound between the head's convolutions.
        activation: its nonlinearity.
    """
    model = builder.model
    hidden = ChannelGroups.split(len(model.doubles("readout.hidden.bias")), builder.colours)
    outputs = ChannelGroups.split(builder.colours * model.levels, builder.colours)
    read = builder.add(activation("readout.features", features, source, largest))
    first = Kernel(read, builder.masked("readout.hidden", features, hidden, "B"), 0, 0, max(largest, ONE))
    bias = builder.conditions(model.doubles("readout.hidden.bias"))
    made = builder.sum("readout.hidden", hidden, [first], bias, largest_hidden, head=True)
    made = builder.add(activation("readout.hidden.active", hidden, made, largest_hidden))
    second = Kernel(made, builder.masked("readout.output", hidden, outputs, "B"), 0, 0, max(largest_hidden, ONE))
    bias = builder.conditions(model.doubles("readout.output.bias"))
    builder.sum("logits", outputs, [second], bias, LARGEST_LOGIT, head=True)

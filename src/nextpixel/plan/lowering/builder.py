"""What the lowering of all families has in common: operations stand one after another, and weights become numbers.

A family is lowered once, by a function of a `Builder`. Which numbers its program holds, the builder says: integers for
the codec (`nextpixel.plan.lowering.integers`), floats for sampling (`nextpixel.plan.lowering.floats`).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from nextpixel.nn.masks import ChannelGroups, MaskKind, visible_channels
from nextpixel.plan.integers import GATE_REACH, ONE
from nextpixel.plan.operations import (
    Add,
    Cell,
    ExponentialUnit,
    Gate,
    Given,
    Image,
    Operation,
    Part,
    Program,
    Rectify,
    Shift,
    Sum,
    Tap,
)
from nextpixel.plan.stored_model import StoredModel

Doubles = NDArray[np.float64]

PLACES = "places"
"""Name of the map of what is known of places before the image is."""


class Map(NamedTuple):
    """A map that operations read.

    Attributes:
        name: of the map.
        groups: the colours of its channels.
        largest: the largest absolute integer of it.
        steps: how many integer steps of it make 1.
    """

    name: str
    groups: ChannelGroups
    largest: int
    steps: int = ONE


class Kernel(NamedTuple):
    """A convolution of one map.

    Attributes:
        source: the map.
        weight: `[outputs, channels, rows, columns]`; what a mask hides is 0.
        row: of the first tap, beside the pixel's.
        column: likewise.
        hidden_right: whether the taps right of the pixel in its own row are none.
    """

    source: Map
    weight: Doubles
    row: int = 0
    column: int = 0
    hidden_right: bool = True


class Numbers(NamedTuple):
    """The numbers of a sum.

    Attributes:
        weights: of each kernel, of its shape.
        bias: see `Summing`.
        scale: `[outputs]`.
    """

    weights: list[Doubles]
    bias: Doubles
    scale: Doubles


class Builder(ABC):
    """A program that grows. Lowering is a function of it: it adds operations from the image to the logits.

    Args:
        model: the model: its description and weights by name.
        table: what stands for each level of a sub-pixel, `[levels, maps of a colour]`.
        largest: the largest absolute number of it.
        steps: how many of its steps make 1.

    Attributes:
        model: as given.
        colours: of a pixel.
        image: the maps of the image, which are the program's first.
        places: what is known of places before the image is; None without.
        measured: names of the maps whose bounds were asked for, in order.
    """

    def __init__(self, model: StoredModel, table: Doubles, largest: int, steps: int) -> None:
        self.model, self.colours = model, model.image_shape[0]
        self.operations: list[Operation] = []
        self.measured: list[str] = []
        groups = ChannelGroups.split(self.colours * table.shape[1], self.colours)
        self.image = Map("image", groups, largest, steps)
        self.operations.append(Image("image", groups, table))
        self.places: Map | None = None

    # What a lowering asks for

    def bound(self, measured: str) -> int:
        """The next bound of activations, which stands in every file: as large as a map was on images, and more.

        Args:
            measured: name of the map that it is the bound of, though others may be kept within it as well.
        """
        self.measured.append(measured)
        return self._bound(len(self.measured) - 1)

    def masked(self, name: str, inputs: ChannelGroups, outputs: ChannelGroups, kind: MaskKind) -> Doubles:
        """The weight of a masked convolution, 0 where the mask hides it at the pixel itself; `[o, i, rows, columns]`.

        The kernel has as many columns left of the pixel as above it to the left.
        """
        weight = self.model.doubles(f"{name}.weight")
        rows, columns = weight.shape[2:]
        centre = columns - 1 if rows == 1 else columns // 2
        weight[:, :, -1, centre] *= visible_channels(inputs, outputs, kind)
        weight[:, :, -1, centre + 1 :] = 0
        return weight

    def convolution(
        self,
        name: str,
        source: Map,
        outputs: ChannelGroups,
        kind: MaskKind,
        largest: int,
        condition: str | None = None,
        *,
        head: bool = False,
    ) -> Map:
        """Add a masked convolution (`nextpixel.MaskedConv2d`), named as its weights are.

        Args:
            name: of the module in the model.
            source: what it reads.
            outputs: the colours of what it makes.
            kind: of the mask.
            largest: bound of the result.
            condition: see `sum`.
            head: see `sum`.
        """
        weight = self.masked(name, source.groups, outputs, kind)
        rows, columns = weight.shape[2:]
        kernel = Kernel(source, weight, 1 - rows, 1 - columns if rows == 1 else -(columns // 2))
        return self.sum(name, outputs, [kernel], self.model.doubles(f"{name}.bias"), largest, condition, head=head)

    def sum(
        self,
        name: str,
        groups: ChannelGroups,
        kernels: Sequence[Kernel],
        bias: Doubles,
        largest: int,
        condition: str | None = None,
        *,
        head: bool = False,
    ) -> Map:
        """Add a sum of convolutions.

        Args:
            name: of the map.
            groups: the colours of its channels.
            kernels: what is summed.
            bias: `[outputs]`.
            largest: bound of the result.
            condition: name of the module that adds what the conditions give (`ConditionBias`), if there are any.
            head: whether it belongs to the head, whose sums are the largest.
        """
        kernels = [*kernels, *self._of_places(condition)]
        numbers = self._numbers(kernels, self._with_condition(bias, condition), head=head)
        parts = tuple(map(_part, kernels, numbers.weights))
        self.operations.append(
            Sum(name, groups, parts, numbers.bias, numbers.scale, largest, limit=self._limit(head=head))
        )
        return Map(name, groups, largest)

    def cell(
        self,
        name: str,
        module: str,
        groups: ChannelGroups,
        kernel: Kernel,
        places: Sequence[tuple[int, int]],
        memory: int,
        direction: int = 0,
        outputs: slice = slice(None),
    ) -> Map:
        """Add the cells of an LSTM.

        Args:
            name: of the map.
            module: of the layer in the model, with `input_to_state`, `recurrence`, and `condition` if it has one.
            groups: the colours of the states.
            kernel: what the gates see of the layer's input.
            places: where they see states, as rows and columns beside the pixel's.
            memory: which of the places hands its memory on.
            direction: which of the recurrence's.
            outputs: which outputs of `input_to_state` the gates are.
        """
        model = self.model
        state = model.doubles(f"{module}.recurrence.hidden")[direction].reshape(-1)
        first_memory = model.doubles(f"{module}.recurrence.memory")[direction].reshape(-1)
        state, first_memory, largest_state, largest = self._first(state, first_memory)
        taps = model.doubles(f"{module}.recurrence.weight")[:, direction]
        here = Map(name, groups, largest_state)
        condition = f"{module}.condition"
        kernels = [kernel, *self._of_places(condition, outputs)]
        count = len(kernels)
        kernels += [
            Kernel(here, tap[:, :, None, None], row, column, hidden_right=False)
            for tap, (row, column) in zip(taps, places, strict=True)
        ]
        bias = self._with_condition(model.doubles(f"{module}.input_to_state.bias"), condition)[:, outputs]
        numbers = self._numbers(kernels, bias, head=False)
        parts = tuple(map(_part, kernels, numbers.weights))
        self.operations.append(
            Cell(
                name,
                groups,
                parts[:count],
                numbers.bias,
                numbers.scale,
                largest,
                tuple(tap for part in parts[count:] for tap in part.taps),
                memory,
                state,
                first_memory,
                limit=self._limit(head=False),
            )
        )
        return Map(name, groups, ONE)

    def rectify(self, name: str, source: Map) -> Map:
        """Add a ReLU."""
        return self._add(Rectify(name, source.groups, source.name), source.largest)

    def exponential_unit(self, name: str, source: Map) -> Map:
        """Add an ELU."""
        return self._add(ExponentialUnit(name, source.groups, source.name, source.largest), max(source.largest, ONE))

    def gate(self, name: str, groups: ChannelGroups, source: Map) -> Map:
        """Add a gate: tanh of the first half of the source's channels times sigmoid of the second."""
        return self._add(Gate(name, groups, source.name), ONE)

    def shift(self, name: str, source: Map) -> Map:
        """Add the row above."""
        return self._add(Shift(name, source.groups, source.name), source.largest)

    def plus(self, name: str, left: Map, right: Map, largest: int) -> Map:
        """Add the sum of two maps.

        Args:
            name: of the map.
            left: the one.
            right: the other.
            largest: bound of the result.
        """
        return self._add(Add(name, left.groups, left.name, right.name, largest), largest)

    @property
    def gate_bound(self) -> int:
        """The bound of what only a gate reads."""
        return GATE_REACH

    def program(self, beyond: int = 0) -> Program:
        """The program.

        Args:
            beyond: columns right of the image of which the maps are computed as well.
        """
        return Program(tuple(self.operations), self.model.levels, self.colours, self._least_bits(), beyond)

    def _add(self, operation: Operation, largest: int) -> Map:
        self.operations.append(operation)
        return Map(operation.name, operation.groups, largest)

    def give_places(self, channels: int, largest: int) -> None:
        """Add what is known of places before the image is, such as conditions.

        Args:
            channels: how many numbers a place has.
            largest: bound of them.
        """
        # Of no colour: whatever the colour of an output, it sees them.
        groups = ChannelGroups((0,) * channels)
        self.operations.append(Given(PLACES, groups))
        self.places = Map(PLACES, groups, largest)

    def _of_places(self, condition: str | None, outputs: slice = slice(None)) -> list[Kernel]:
        """What is added that belongs to places."""
        weight = f"{condition}.places"
        if self.places is None or weight not in self.model.weights:
            return []
        return [Kernel(self.places, self.model.doubles(weight)[outputs, :, None, None])]

    # What depends on the numbers

    @abstractmethod
    def _bound(self, number: int) -> int:
        """A bound of activations."""

    @abstractmethod
    def _with_condition(self, bias: Doubles, condition: str | None) -> Doubles:
        """A bias `[outputs]` with what conditions of the whole image add; see `Summing`."""

    @abstractmethod
    def _numbers(self, kernels: Sequence[Kernel], bias: Doubles, *, head: bool) -> Numbers:
        """The numbers of a sum."""

    @abstractmethod
    def _limit(self, *, head: bool) -> float:
        """Below which every possible sum stays."""

    @abstractmethod
    def _first(self, state: Doubles, memory: Doubles) -> tuple[Doubles, Doubles, int, int]:
        """Of cells: state and memory beyond the image, the largest state that gates see, and the bound of memories."""

    @abstractmethod
    def _least_bits(self) -> int:
        """See `Program`."""


def _part(kernel: Kernel, weight: Doubles) -> Part:
    rows, columns = weight.shape[2:]
    taps = tuple(
        Tap(kernel.row + row, kernel.column + column, np.ascontiguousarray(weight[:, :, row, column]))
        for row in range(rows)
        for column in range(columns)
        if not (kernel.hidden_right and kernel.row + row == 0 and kernel.column + column > 0)
    )
    return Part(kernel.source.name, taps)

"""The Diagonal BiLSTM (`nextpixel.nn.diagonal_lstm`) step by step.

The forward direction looks left and up: what is above comes once a row, what is left at each sub-pixel. The mirrored
direction looks right and up and gives its output to the row below, so it runs from right to left over each finished
row, in all layers of a model at once.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from nextpixel.nn.conditioning import Context
from nextpixel.nn.diagonal_lstm import DiagonalBiLSTM
from nextpixel.nn.steps.feature_row import FeatureRow
from nextpixel.nn.steps.lstm import input_to_state
from nextpixel.nn.steps.rows_above import RowOffset

LEFT, ABOVE = 0, 1


class DiagonalStep:
    """The forward direction of one layer, which adds what the mirrored one gives.

    Args:
        layer: the module.
        maps: the row of its inputs.
        context: of the conditions, or None.
        mirrored: what the mirrored direction makes of the row above, `[W, B, h]`; zero above the image.
    """

    def __init__(self, layer: DiagonalBiLSTM, maps: FeatureRow, context: Context | None, mirrored: Tensor) -> None:
        batch, width = maps.places.shape[:2]
        recurrence, hidden = layer.recurrence, layer.hidden
        self.cell, self.gates = input_to_state(layer, maps, context)
        order = self.cell.order
        self.above = recurrence.weight[ABOVE, 0, order].T.contiguous()
        left = recurrence.weight[LEFT, 0, order]
        self.left = [left[span].T.contiguous() for span in self.cell.groups.spans]
        # Before the first column stands the initial state, and above the first row too.
        self.states = recurrence.hidden[0].repeat(width + 1, batch, 1)
        self.memories = recurrence.memory[0].repeat(width + 1, batch, 1)
        self.own_states, self.own_memories = hidden.pieces(self.states), hidden.pieces(self.memories)
        self.mirrored = hidden.pieces(mirrored)

    def start_row(self, row: int) -> None:
        """Do the work of a row."""
        self.gates.start_row(row)
        base = self.gates.base
        base.view(-1, base.shape[2]).addmm_(self.states[1:].flatten(0, 1), self.above)

    def step(self, column: int, colour: int, out: Tensor) -> None:
        """Put the h features of a colour at a place into `[B, group]`."""
        gates = self.gates.step(column, colour, out=self.cell.gates[colour])
        gates.addmm_(self.states[column], self.left[colour])
        memories, states = self.own_memories, self.own_states
        state = self.cell.step(
            colour, memories[column][colour], memories[column + 1][colour], states[column + 1][colour]
        )
        torch.add(state, self.mirrored[column][colour], out=out)

    def whole_row(self, maps: Tensor) -> Tensor:
        """Not to be had: the places of a row depend on each other."""
        raise NotImplementedError


class MirroredDirections:
    """The mirrored direction of all layers of a model.

    Args:
        layers: the layers.
        maps: the rows of their inputs.
        context: of the conditions, or None.

    Attributes:
        states: `[W, layers, B, h]`, what they make of the row that was finished last; zero before the first.
    """

    def __init__(self, layers: Sequence[DiagonalBiLSTM], maps: Sequence[FeatureRow], context: Context | None) -> None:
        batch, width = maps[0].places.shape[:2]
        self.maps = maps
        like = layers[0].input_to_state.bias
        h = layers[0].hidden.channels
        every = list(range(4 * h, 8 * h))
        self.inputs = [layer.input_to_state.visible_weight[every, :, 0, 0].T.contiguous() for layer in layers]
        self.offsets = [RowOffset(layer.input_to_state.bias, layer.condition, context, order=every) for layer in layers]
        self.beside, self.above = (
            torch.stack([layer.recurrence.weight[tap, 1].T for layer in layers]) for tap in (LEFT, ABOVE)
        )
        self.first = torch.stack([layer.recurrence.hidden[1].expand(batch, -1) for layer in layers])
        self.first_memory = torch.stack([layer.recurrence.memory[1].expand(batch, -1) for layer in layers])
        self.states = like.new_zeros(width, len(layers), batch, h)
        self.base = like.new_zeros(width, len(layers), batch, 4 * h)
        self.gates = like.new_empty(len(layers), batch, 4 * h)
        self.parts = self.gates.chunk(4, dim=2)
        self.sigmoids = self.gates[..., : 3 * h]
        self.memory = self.first_memory.clone()

    def end_row(self, row: int) -> None:
        """Run over a finished row from right to left."""
        for layer, (maps, inputs, offset) in enumerate(zip(self.maps, self.inputs, self.offsets, strict=True)):
            base = self.base[:, layer]
            offset.put_into(base, row)
            base += maps.places.transpose(0, 1) @ inputs
        above = self.states if row else self.first.expand_as(self.states)
        self.base += above @ self.above
        self.memory.copy_(self.first_memory)
        state = self.first
        o, f, i, g = self.parts
        for column in reversed(range(len(self.base))):
            torch.baddbmm(self.base[column], state, self.beside, out=self.gates)
            self.sigmoids.sigmoid_()
            g.tanh_()
            self.memory.mul_(f).addcmul_(i, g)
            state = torch.mul(o, self.memory.tanh(), out=self.states[column])

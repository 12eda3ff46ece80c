"""The Row LSTM (`nextpixel.nn.row_lstm`) step by step."""

from __future__ import annotations

import torch
from torch import Tensor

from nextpixel.nn.conditioning import Context
from nextpixel.nn.row_lstm import RowLSTM
from nextpixel.nn.steps.feature_row import FeatureRow
from nextpixel.nn.steps.lstm import input_to_state
from nextpixel.nn.steps.rows_above import RowsAbove


class RowLSTMStep:
    """One layer. The state-to-state convolution looks at the row above only, so it is done once a row.

    Args:
        layer: the module.
        maps: the row of its inputs.
        context: of the conditions, or None.
    """

    def __init__(self, layer: RowLSTM, maps: FeatureRow, context: Context | None) -> None:
        batch, width = maps.places.shape[:2]
        recurrence, hidden = layer.recurrence, layer.hidden
        self.cell, self.gates = input_to_state(layer, maps, context)
        # [taps, 1, 4h, h] to [4h, h, 1, taps]
        self.states = RowsAbove(recurrence.weight[:, 0, self.cell.order].permute(1, 2, 0)[:, :, None], batch, width)
        self.states.rows[0].copy_(recurrence.hidden[0])
        self.memory = recurrence.memory[0].repeat(width, batch, 1)
        state = self.states.rows[0][self.states.reach : self.states.reach + width]
        self.state, self.own_state = state, hidden.pieces(state)
        self.own_memory = hidden.pieces(self.memory)

    def start_row(self, row: int) -> None:
        """Do the work of a row."""
        self.gates.start_row(row)
        self.states.add_to(self.gates.base)

    def step(self, column: int, colour: int, out: Tensor) -> None:
        """Put the h features of a colour at a place into `[B, group]`."""
        self.gates.step(column, colour, out=self.cell.gates[colour])
        memory = self.own_memory[column][colour]
        out.copy_(self.cell.step(colour, memory, memory, self.own_state[column][colour]))

    def whole_row(self, maps: Tensor) -> Tensor:  # noqa: ARG002 - the gates read the row of maps themselves
        """The h features at all places of a row of known maps `[B, W, 2h]`, as `[W, B, h]`."""
        o, f, i, g = self.cell.split(self.gates.whole_row())
        self.memory.mul_(f.sigmoid()).addcmul_(i.sigmoid(), g.tanh())
        torch.mul(o.sigmoid(), self.memory.tanh(), out=self.state)
        return self.state

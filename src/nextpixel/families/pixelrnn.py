"""PixelRNN: van den Oord et al. 2016, *Pixel Recurrent Neural Networks*, arXiv 1601.06759, sections 3.1 to 3.3.

The frame of `nextpixel.families.residual_network` around a Row LSTM (`nextpixel.nn.row_lstm`) or a Diagonal BiLSTM
(`nextpixel.nn.diagonal_lstm`).

**Context of the Row LSTM**: a triangle in the rows above; `receptive_field` has it.

**Context of the Diagonal BiLSTM**: the whole past, at any depth. As printed, the design has a hole: with mask A in the
first layer, the features at a pixel do not contain the pixel itself (of several colours, its last one), and the
mirrored pass, whose output moves down a row, starts at the last column. So the last pixel of the row just above is in
no feature that it ever meets, and columns further left than the first convolution reaches are blind to it, at any
depth. Here the map has one column more than the image, on its right: the features there contain the last pixel of
their row. It is carried through all layers and dropped before the head. No feature of it is used by a pixel of its own
row, and all it contains is past for the rows below.

Deviations from the paper: that column; biases of the forget gates start at 1; cells outside the map hold the learned
initial state on all sides; skip connections, dropout and features of the levels are options.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch.nn.functional as F
from torch import Tensor

from nextpixel.families.configs import DiagonalBiLSTMConfig, RowLSTMConfig
from nextpixel.families.residual_network import ResidualNetwork
from nextpixel.families.residual_stepper import ResidualStepper
from nextpixel.nn.conditioning import Context
from nextpixel.nn.diagonal_lstm import DiagonalBiLSTM
from nextpixel.nn.masks import ChannelGroups
from nextpixel.nn.receptive_field import RowReach, raster_context
from nextpixel.nn.row_lstm import RowLSTM
from nextpixel.nn.steps.diagonal_lstm import DiagonalStep, MirroredDirections
from nextpixel.nn.steps.feature_row import FeatureRow
from nextpixel.nn.steps.residual import CoreStep
from nextpixel.nn.steps.row_lstm import RowLSTMStep
from nextpixel.nn.steps.stepper import Stepper
from nextpixel.plan.lowering.families import LOWERINGS

# A new LSTM's h has between 0.2 and 0.3 of the deviation of its inputs.
LSTM_GAIN = 3.0


class RowLSTMModel(ResidualNetwork[RowLSTM]):
    """A PixelRNN of Row LSTM layers: the arguments of `ImageModel`, the options of `RowLSTMConfig`."""

    config_class = RowLSTMConfig
    core_class = RowLSTM
    lower = staticmethod(LOWERINGS["row-lstm"])
    config: RowLSTMConfig

    def _core(self, maps: ChannelGroups, hidden: ChannelGroups) -> RowLSTM:
        return RowLSTM(maps, hidden, self.config.kernel_size, self.context_sizes)

    @property
    def reach_in_row(self) -> int:
        """The reach of the input-to-state convolution."""
        return self.config.kernel_size // 2

    def _stepper(self, batch: int, context: Context | None, width: int) -> Stepper:
        def core_steps(cores: Sequence[RowLSTM], rows: Sequence[FeatureRow]) -> list[CoreStep]:
            return [RowLSTMStep(core, maps, context) for core, maps in zip(cores, rows, strict=True)]

        return ResidualStepper(self, batch, width, RowLSTM, core_steps)

    def _gain(self) -> float:
        return LSTM_GAIN

    def receptive_field(self) -> Tensor:
        """The triangle above and the pixels to the left: see the module's docstring."""
        first = self.config.first_kernel_size // 2
        k, n = self.config.kernel_size // 2, self.config.layers

        def above(up: int) -> RowReach:
            # Right only by states, k columns a row up; the last step, by the first convolution, goes up a row too and
            # right by its reach, or stays in its row and goes left. Left by every layer's input-to-state as well.
            return RowReach(left=k * up + k * n + first, right=k * (up - 1) + first, features=k * up)

        return raster_context(self.image_shape, k * n + first, above)


class DiagonalBiLSTMModel(ResidualNetwork[DiagonalBiLSTM]):
    """A PixelRNN of Diagonal BiLSTM layers: the arguments of `ImageModel`, the options of `DiagonalBiLSTMConfig`."""

    config_class = DiagonalBiLSTMConfig
    core_class = DiagonalBiLSTM
    lower = staticmethod(LOWERINGS["diagonal-bilstm"])

    def _core(self, maps: ChannelGroups, hidden: ChannelGroups) -> DiagonalBiLSTM:
        return DiagonalBiLSTM(maps, hidden, self.context_sizes)

    def _gain(self) -> float:
        return LSTM_GAIN

    def _features(self, inputs: Tensor, context: Context | None) -> Tensor:
        maps = super()._features(F.pad(inputs, (0, 1)), _one_column_more(context))
        # Not by a slice, whose gradient would have another layout in memory than all others.
        return F.pad(maps, (0, -1))

    def _stepper(self, batch: int, context: Context | None, width: int) -> Stepper:
        return _DiagonalStepper(self, batch, width, _one_column_more(context))

    def receptive_field(self) -> Tensor:
        """The whole past."""
        rank = self.order.flatten()
        return rank[None, :] < rank[:, None]


def _one_column_more(context: Context | None) -> Context | None:
    """The context of a map that has a column more than the image, on its right."""
    if context is None or context.places is None:
        return context
    return context._replace(places=F.pad(context.places, (0, 1)))


class _DiagonalStepper(ResidualStepper):
    """A model of Diagonal BiLSTMs in the middle of a batch, with the column beyond the image."""

    def __init__(self, model: DiagonalBiLSTMModel, batch: int, width: int, context: Context | None) -> None:
        self.row = 0

        def core_steps(cores: Sequence[DiagonalBiLSTM], rows: Sequence[FeatureRow]) -> list[CoreStep]:
            self.mirrored = MirroredDirections(cores, rows, context)
            states = self.mirrored.states.unbind(1)
            return [DiagonalStep(*parts) for parts in zip(cores, rows, [context] * len(cores), states, strict=True)]

        super().__init__(model, batch, width, DiagonalBiLSTM, core_steps, beyond=1)

    def start_row(self, row: int) -> None:
        self.row = row
        super().start_row(row)

    def end_row(self) -> None:
        beyond = len(self.rows[0].own) - 1
        for colour in range(len(self.rows[0].own[0])):
            self.compute(beyond, colour)
        self.mirrored.end_row(self.row)

    def known_row(self, values: Tensor) -> None:
        Stepper.known_row(self, values)

"""PixelCNN: van den Oord et al. 2016, *Pixel Recurrent Neural Networks*, arXiv 1601.06759, section 3.5.

The frame of `nextpixel.families.residual_network` around a core of masked convolutions:

    2h maps -> ReLU, 1x1 to h -> ReLU, 3x3 mask B -> ReLU (and the block's own 1x1 back to 2h)

**Its blind spot is part of the paper.** A single stack of masked convolutions cannot turn right within a row, so with
n blocks of reach k a pixel sees, u rows up, at most some k*u columns to the right: the triangle beyond is never seen,
at any depth. (The Gated PixelCNN's two stacks mend that.) `receptive_field` promises what the architecture gives, and
`nextpixel.check_causality` tells how much of the past that is.

Deviations from the paper: skip connections, dropout and features of the levels are options; a kernel has no taps below
or, in its centre row, to the right of its centre, instead of zeros there.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from torch import Tensor

from nextpixel.families.configs import PixelCNNConfig
from nextpixel.families.residual_network import ResidualNetwork
from nextpixel.families.residual_stepper import ResidualStepper
from nextpixel.nn.conditioning import Context
from nextpixel.nn.convolutions import RELU_GAIN, Convolutions
from nextpixel.nn.masks import ChannelGroups
from nextpixel.nn.receptive_field import RowReach, raster_context
from nextpixel.nn.steps.convolutions import ConvolutionsStep
from nextpixel.nn.steps.feature_row import FeatureRow
from nextpixel.nn.steps.residual import CoreStep
from nextpixel.nn.steps.stepper import Stepper
from nextpixel.plan.lowering.families import LOWERINGS


class PixelCNN(ResidualNetwork[Convolutions]):
    """A PixelCNN with masked convolutions: the arguments of `ImageModel`, the options of `PixelCNNConfig`."""

    config_class = PixelCNNConfig
    knows_positions = False
    core_class = Convolutions
    lower = staticmethod(LOWERINGS["pixelcnn"])
    config: PixelCNNConfig

    def _core(self, maps: ChannelGroups, hidden: ChannelGroups) -> Convolutions:
        return Convolutions(maps, hidden, self.config.kernel_size, self.context_sizes)

    def _stepper(self, batch: int, context: Context | None, width: int) -> Stepper:
        def core_steps(cores: Sequence[Convolutions], rows: Sequence[FeatureRow]) -> list[CoreStep]:
            return [ConvolutionsStep(core, maps, context) for core, maps in zip(cores, rows, strict=True)]

        return ResidualStepper(self, batch, width, Convolutions, core_steps)

    def _gain(self) -> float:
        # All blocks together add as much variance as the first convolution gives; with 1 for each, deep models learn
        # more slowly and need a smaller learning rate.
        return 1 / math.sqrt(self.config.layers) if self.config.residual else RELU_GAIN

    def receptive_field(self) -> Tensor:
        """The past without the blind spot: see the module's docstring."""
        first = self.config.first_kernel_size // 2
        k, n = self.config.kernel_size // 2, self.config.layers

        def above(up: int) -> RowReach | None:
            if up > first + k * n:
                return None
            # The blocks move up by 1..k and right by at most k for each such move, of which there are n at most; the
            # first convolution moves up by 1..first and then right by as much as it likes, or left within its row.
            by_first = max(1, up - k * n)
            through_rows = first + k * min(up - by_first, n)
            features = k * min(up, n) if up <= k * n else -1
            return RowReach(left=first + k * n, right=through_rows, features=features)

        return raster_context(self.image_shape, first + k * n, above)

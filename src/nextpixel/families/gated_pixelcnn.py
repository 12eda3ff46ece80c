"""Gated PixelCNN: van den Oord et al. 2016, *Conditional Image Generation with PixelCNN Decoders*, arXiv 1606.05328.

A vertical and a horizontal stack of gated convolutions (see `nextpixel.nn.gated`) give every sub-pixel a context
without blind spot: all rows above and all pixels to the left within the reach of the kernels,

    reach = first_kernel_size // 2 + (layers - 1) * (kernel_size // 2)

pixels to the left, to the right in the rows above, and one row more than that upwards. `check_causality` tells whether
that is the whole past of an image. The head is that of arXiv 1601.06759, a nonlinearity and a 1x1 masked convolution,
twice.

Deviations from the paper: the head's nonlinearity is ELU, because with few features a colour all of whose ReLUs are
off would not see what it should; skip connections from every layer to the head (optional, `skips`), which the paper
does not draw; dropout on the gated features (optional); learned features of the levels as further inputs (optional,
`level_features`); the first kernel's size is its own option; features are divided among the colours R, G, B in the
horizontal stack only, because the vertical one sees finished rows, whole.
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from nextpixel.families.configs import GatedPixelCNNConfig
from nextpixel.families.raster_model import RasterModel
from nextpixel.nn.conditioning import Context
from nextpixel.nn.gated import GatedLayer
from nextpixel.nn.head import Head
from nextpixel.nn.layers import Layers
from nextpixel.nn.level_embedding import LevelEmbedding
from nextpixel.nn.masks import ChannelGroups
from nextpixel.nn.receptive_field import RowReach, raster_context
from nextpixel.nn.recompute import call
from nextpixel.nn.steps.gated_stepper import GatedStepper, check_stacks
from nextpixel.nn.steps.stepper import Stepper
from nextpixel.plan.lowering.gated import lower_gated


class GatedPixelCNN(RasterModel):
    """A Gated PixelCNN: the arguments of `ImageModel`, the options of `GatedPixelCNNConfig`.

    Every layer sees the conditions, in both stacks.
    """

    config_class = GatedPixelCNNConfig
    knows_positions = False
    lower = staticmethod(lower_gated)
    config: GatedPixelCNNConfig
    readout: Head

    def _make_layers(self) -> None:
        config = self.config
        channels = self.image_shape[0]
        self.reach = config.first_kernel_size // 2 + (config.layers - 1) * (config.kernel_size // 2)
        self.image_maps = LevelEmbedding(channels, self.levels, config.level_features)
        groups = ChannelGroups.split(config.features, channels)
        self.layers = Layers(
            GatedLayer,
            (
                GatedLayer(
                    groups if index else self.image_maps.groups,
                    groups,
                    config.kernel_size if index else config.first_kernel_size,
                    first=index == 0,
                    last=index == config.layers - 1,
                    skip=config.skips,
                    dropout=config.dropout,
                    context=self.context_sizes,
                )
                for index in range(config.layers)
            ),
        )
        self.readout = Head(
            groups, config.head_features or config.features, channels, self.distribution.parameters, F.elu
        )

    def _network(self, inputs: Tensor, context: Context | None) -> Tensor:
        vertical = horizontal = self.image_maps(inputs)
        skips: Tensor | None = None
        for layer in self.layers:
            vertical, horizontal, skip = call(
                layer, vertical, horizontal, context, recompute=self.checkpoint_activations
            )
            if skip is not None:
                skips = skip if skips is None else skips + skip
        parameters: Tensor = self.readout(horizontal if skips is None else skips)
        return parameters

    def lowers_head(self) -> bool:
        """See `RasterModel`."""
        return self.readout.activation is F.elu

    def check_layers(self, computation: str) -> None:
        """See `RasterModel`."""
        check_stacks(self.layers, self.image_maps, self.readout, computation)

    def _stepper(self, batch: int, context: Context | None, width: int) -> Stepper:
        return GatedStepper(self.layers, self.image_maps, self.readout, width, batch, context)

    def receptive_field(self) -> Tensor:
        """The past within `reach`: see the module's docstring."""
        reach = self.reach
        row = RowReach(left=reach, right=reach, features=reach)
        return raster_context(self.image_shape, reach, lambda up: row if up <= reach + 1 else None)

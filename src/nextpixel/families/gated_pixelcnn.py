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

from nextpixel.families.raster_model import RasterModel
from nextpixel.nn.conditioning import Context
from nextpixel.nn.conditions import Specification
from nextpixel.nn.gated import GatedLayer
from nextpixel.nn.head import Head
from nextpixel.nn.heads import COMPONENTS, SOFTMAX
from nextpixel.nn.layers import Layers
from nextpixel.nn.level_embedding import LevelEmbedding
from nextpixel.nn.masks import ChannelGroups
from nextpixel.nn.receptive_field import RowReach, raster_context
from nextpixel.nn.recompute import call
from nextpixel.nn.steps.gated_stepper import GatedStepper
from nextpixel.nn.steps.stepper import Stepper
from nextpixel.runtime.validation import MOST_FEATURES, MOST_LAYERS, integer, odd_size, probability, switch


class GatedPixelCNN(RasterModel):
    """A Gated PixelCNN.

    Args:
        image_shape: `(C, H, W)`.
        levels: values that a sub-pixel can take, 2 to 256.
        features: maps p of each stack, at least one a channel of the image.
        layers: number of gated layers, at least 1.
        kernel_size: odd side of the kernels, at least 3.
        first_kernel_size: odd side of the first layer's kernels.
        head_features: maps between the two convolutions of the head; None for as many as `features`.
        skips: whether every layer feeds the head, instead of the last alone.
        dropout: probability of zeroing a gated feature of the horizontal stack in training.
        level_features: learned features of each level, which the first layer sees besides its number (see
            `nextpixel.nn.level_embedding`); 0 for none, as in the paper.
        head: the distribution of a sub-pixel: `softmax` or `logistic-mixture`.
        components: of a logistic mixture.
        condition: what the images depend on; every layer sees it, in both stacks.

    Raises:
        ModelError: an argument is out of range.
    """

    family = "gated-pixelcnn"

    def __init__(
        self,
        image_shape: tuple[int, int, int],
        levels: int = 256,
        features: int = 64,
        layers: int = 8,
        kernel_size: int = 3,
        first_kernel_size: int = 7,
        head_features: int | None = None,
        skips: bool = True,
        dropout: float = 0.0,
        level_features: int = 0,
        head: str = SOFTMAX,
        components: int = COMPONENTS,
        condition: Specification | None = None,
    ) -> None:
        options = {
            "features": integer("features", features, 1, MOST_FEATURES),
            "layers": integer("layers", layers, 1, MOST_LAYERS),
            "kernel_size": odd_size("kernel_size", kernel_size),
            "first_kernel_size": odd_size("first_kernel_size", first_kernel_size),
            "head_features": None
            if head_features is None
            else integer("head_features", head_features, 1, MOST_FEATURES),
            "skips": switch("skips", skips),
            "dropout": probability("dropout", dropout),
        }
        if integer("level_features", level_features, 0, MOST_FEATURES):
            # Left out where there are none, so that the fingerprints of models without, which files carry, stay.
            options["level_features"] = level_features
        super().__init__(image_shape, levels, options, condition, features, head=head, components=components)
        channels = self.image_shape[0]
        self.reach = first_kernel_size // 2 + (layers - 1) * (kernel_size // 2)
        self.image_maps = LevelEmbedding(channels, self.levels, level_features)
        groups = ChannelGroups.split(features, channels)
        self.layers = Layers(
            GatedLayer,
            (
                GatedLayer(
                    groups if index else self.image_maps.groups,
                    groups,
                    kernel_size if index else first_kernel_size,
                    first=index == 0,
                    last=index == layers - 1,
                    skip=skips,
                    dropout=dropout,
                    context=self.context_sizes,
                )
                for index in range(layers)
            ),
        )
        self.readout = Head(groups, head_features or features, channels, self.distribution.parameters, F.elu)

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

    def _stepper(self, batch: int, context: Context | None) -> Stepper:
        return GatedStepper(self.layers, self.image_maps, self.readout, self.image_shape[2], batch, context)

    def receptive_field(self) -> Tensor:
        """The past within `reach`: see the module's docstring."""
        reach = self.reach
        row = RowReach(left=reach, right=reach, features=reach)
        return raster_context(self.image_shape, reach, lambda up: row if up <= reach + 1 else None)

"""The frame that all models of arXiv 1601.06759 share (table 1).

    7x7 convolution, mask A, to 2h maps
    residual blocks around a core of h maps: two convolutions, a Row LSTM or a Diagonal BiLSTM
    ReLU and 1x1 convolution, mask B, twice
    256-way softmax for every sub-pixel (of two levels: Bernoulli)

A family provides the core.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import ClassVar, Generic

import torch.nn.functional as F
from torch import Tensor

from nextpixel.families.raster_model import RasterModel
from nextpixel.nn.conditioning import Context
from nextpixel.nn.conditions import Specification
from nextpixel.nn.head import Head
from nextpixel.nn.heads import COMPONENTS, SOFTMAX
from nextpixel.nn.layers import Layers
from nextpixel.nn.level_embedding import LevelEmbedding
from nextpixel.nn.masked_conv import MaskedConv2d
from nextpixel.nn.masks import ChannelGroups
from nextpixel.nn.recompute import call
from nextpixel.nn.residual import Core, ResidualBlock
from nextpixel.runtime.validation import MOST_FEATURES, MOST_LAYERS, integer, odd_size, probability, switch


class ResidualNetwork(RasterModel, Generic[Core]):
    """A model of the PixelRNN paper, without its core.

    Args:
        image_shape: `(C, H, W)`.
        levels: values that a sub-pixel can take, 2 to 256.
        features: maps h of a core, at least one a channel of the image; the maps between blocks are 2h. With only one
            or two for each colour, all ReLUs of a colour can be off at once, and the model then is blind to it.
        layers: number of residual blocks, at least 1.
        kernel_size: odd side of the core's convolutions, at least 3.
        first_kernel_size: odd side of the first convolution.
        head_features: maps between the two convolutions of the head; None for 2h.
        residual: whether a block's input is added to its output.
        skips: whether every block feeds the head, instead of the last alone.
        dropout: probability of zeroing one of the h features in training.
        level_features: learned features of each level, which the first layer sees besides its number (see
            `nextpixel.nn.level_embedding`); 0 for none, as in the paper.
        head: the distribution of a sub-pixel: `softmax` or `logistic-mixture`.
        components: of a logistic mixture.
        condition: what the images depend on; the core of every block sees it.

    Raises:
        ModelError: an argument is out of range.
    """

    arithmetic = (*RasterModel.arithmetic, "_features")
    fixed: ClassVar[frozenset[str]] = frozenset()
    """Arguments that are no choice of the family's."""

    def __init__(
        self,
        image_shape: tuple[int, int, int],
        levels: int = 256,
        features: int = 32,
        layers: int = 7,
        kernel_size: int = 3,
        first_kernel_size: int = 7,
        head_features: int | None = None,
        residual: bool = True,
        skips: bool = False,
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
            "residual": switch("residual", residual),
            "skips": switch("skips", skips),
            "dropout": probability("dropout", dropout),
        }
        if integer("level_features", level_features, 0, MOST_FEATURES):
            # Left out where there are none, so that the fingerprints of models without, which files carry, stay.
            options["level_features"] = level_features
        chosen = {name: each for name, each in options.items() if name not in self.fixed}
        super().__init__(image_shape, levels, chosen, condition, features, head=head, components=components)
        channels = self.image_shape[0]
        reach = first_kernel_size // 2
        hidden = ChannelGroups.split(features, channels)
        maps = ChannelGroups.split(2 * features, channels)
        self.image_maps = LevelEmbedding(channels, self.levels, level_features)
        self.first = MaskedConv2d(self.image_maps.groups, maps, "A", rows_above=reach, reach=reach)
        self.blocks: Layers[ResidualBlock[Core]] = Layers(
            ResidualBlock,
            (
                ResidualBlock(
                    self._core(maps, hidden),
                    hidden,
                    maps,
                    residual=residual,
                    skip=skips,
                    last=index == layers - 1,
                    gain=self._gain(),
                    dropout=dropout,
                )
                for index in range(layers)
            ),
        )
        self.readout = Head(maps, head_features or 2 * features, channels, self.distribution.parameters, F.relu)

    @property
    def reach_in_row(self) -> int:
        """How far to the left a core looks at the maps of its block, in the row itself."""
        return 0

    @abstractmethod
    def _core(self, maps: ChannelGroups, hidden: ChannelGroups) -> Core:
        """The layer inside a residual block, from the 2h maps and the conditions' context to the h hidden maps."""

    @abstractmethod
    def _gain(self) -> float:
        """Factor on the initial weights of the convolution after a core, beyond what keeps the variance."""

    def _network(self, inputs: Tensor, context: Context | None) -> Tensor:
        parameters: Tensor = self.readout(self._features(self.image_maps(inputs), context))
        return parameters

    def _features(self, inputs: Tensor, context: Context | None) -> Tensor:
        """The maps that the head reads, `[B, 2h, H, W]`, from those of the image."""
        maps = self.first(inputs)
        skips: Tensor | None = None
        for block in self.blocks:
            maps, skip = call(block, maps, context, recompute=self.checkpoint_activations)
            if skip is not None:
                skips = skip if skips is None else skips + skip
        return maps if skips is None else skips

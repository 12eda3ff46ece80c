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
from torch import Tensor, nn

from nextpixel.families.configs import ResidualConfig
from nextpixel.families.raster_model import RasterModel
from nextpixel.nn.conditioning import Context
from nextpixel.nn.head import Head
from nextpixel.nn.layers import Layers, check_exact
from nextpixel.nn.level_embedding import LevelEmbedding
from nextpixel.nn.masked_conv import MaskedConv2d
from nextpixel.nn.masks import ChannelGroups
from nextpixel.nn.recompute import call
from nextpixel.nn.residual import Core, ResidualBlock


class ResidualNetwork(RasterModel, Generic[Core]):
    """A model of the PixelRNN paper, without its core: the arguments of `ImageModel`, the options of its config.

    The core of every block sees the conditions.
    """

    arithmetic = (*RasterModel.arithmetic, "_features")
    core_class: ClassVar[type[nn.Module]]
    """The layer inside a block."""

    config: ResidualConfig
    readout: Head

    def lowers_head(self) -> bool:
        """See `RasterModel`."""
        return self.readout.activation is F.relu

    def check_layers(self, computation: str) -> None:
        """See `RasterModel`."""
        check_frame(self, self.core_class, computation)

    def _make_layers(self) -> None:
        config = self.config
        channels = self.image_shape[0]
        reach = config.first_kernel_size // 2
        hidden = ChannelGroups.split(config.features, channels)
        maps = ChannelGroups.split(2 * config.features, channels)
        self.image_maps = LevelEmbedding(channels, self.levels, config.level_features)
        self.first = MaskedConv2d(self.image_maps.groups, maps, "A", rows_above=reach, reach=reach)
        self.blocks: Layers[ResidualBlock[Core]] = Layers(
            ResidualBlock,
            (
                ResidualBlock(
                    self._core(maps, hidden),
                    hidden,
                    maps,
                    residual=config.residual,
                    skip=config.skips,
                    last=index == config.layers - 1,
                    gain=self._gain(),
                    dropout=config.dropout,
                )
                for index in range(config.layers)
            ),
        )
        self.readout = Head(
            maps, config.head_features or 2 * config.features, channels, self.distribution.parameters, F.relu
        )

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


def check_frame(model: ResidualNetwork[Core], kind: type[nn.Module], computation: str) -> list[ResidualBlock[Core]]:
    """The blocks of a model, if it consists of the layers that another computation knows.

    Args:
        model: the model.
        kind: class of the blocks' cores.
        computation: see `check_exact`.

    Raises:
        ModelError: it does not.
    """
    blocks = list(model.blocks)
    check_exact([("image_maps", model.image_maps)], LevelEmbedding, computation)
    check_exact([("first", model.first)], MaskedConv2d, computation)
    check_exact([(f"blocks.{n}", block) for n, block in enumerate(blocks)], ResidualBlock, computation, core=kind)
    check_exact([("readout", model.readout)], Head, computation)
    return blocks

"""The frame of networks whose features belong to pixels and not to colours; see `nextpixel.nn.pixel_head`.

maps of the image -> features that know at each pixel the pixels before it -> head, which adds the earlier colours
"""

from __future__ import annotations

from abc import abstractmethod

import torch
from torch import Tensor

from nextpixel.families.base import ImageModel
from nextpixel.families.configs import PixelwiseConfig
from nextpixel.nn.conditioning import Context
from nextpixel.nn.layers import check_exact
from nextpixel.nn.level_embedding import LevelEmbedding
from nextpixel.nn.masks import ChannelGroups
from nextpixel.nn.pixel_head import PixelHead


class PixelwiseModel(ImageModel):
    """A model whose network sees whole pixels: the arguments of `ImageModel`, the options of its config."""

    arithmetic = (*ImageModel.arithmetic, "_features")
    config: PixelwiseConfig
    image_maps: LevelEmbedding
    readout: PixelHead

    def _make_layers(self) -> None:
        channels = self.image_shape[0]
        self.image_maps = LevelEmbedding(channels, self.levels, self.config.level_features)
        self.image_groups = ChannelGroups.split(self.image_maps.groups.channels, 1)
        self._make_network()
        self.readout = PixelHead(
            self._head_inputs,
            self.image_maps.groups,
            self.config.head_features or self.config.features,
            channels,
            self.distribution.parameters,
        )

    @property
    def _head_inputs(self) -> int:
        """How many features a pixel has."""
        return self.config.features

    @abstractmethod
    def _make_network(self) -> None:
        """Make the layers between the image's maps, of the groups `image_groups`, and the head."""

    @abstractmethod
    def _features(self, maps: Tensor, context: Context | None) -> Tensor:
        """From the maps of the image, `[B, m, H, W]`, to features of the pixels before each pixel, `[B, p, H, W]`."""

    def _network(self, inputs: Tensor, context: Context | None) -> Tensor:
        maps = self.image_maps(inputs)
        parameters: Tensor = self.readout(self._features(maps, context), maps)
        return parameters

    def check_ends(self) -> None:
        """Refuse other layers than those known to the steps where the image enters and leaves.

        Raises:
            ModelError: there are some.
        """
        check_exact([("image_maps", self.image_maps)], LevelEmbedding, "steps")
        check_exact([("readout", self.readout)], PixelHead, "steps")

    def of_pixels(self, seen: Tensor) -> Tensor:
        """A receptive field of what pixels see of each other, bool `[H*W, H*W]`: they see all colours of others."""
        channels, pixels = self.image_shape[0], len(seen)
        field = seen.expand(channels, channels, -1, -1).permute(0, 2, 1, 3).clone()
        earlier = torch.ones(channels, channels, dtype=torch.bool).tril(-1)
        field[:, torch.arange(pixels), :, torch.arange(pixels)] |= earlier
        return field.flatten(2).flatten(0, 1)

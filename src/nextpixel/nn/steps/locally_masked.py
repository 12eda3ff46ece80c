"""Locally masked networks (`nextpixel.nn.locally_masked`) step by step, in any order of pixels.

The features of a pixel depend on pixels before it only, so they are final as soon as they are computed. Each layer
keeps those of all pixels, with zeros in the place of pixels outside the image and of those that are still to come.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from nextpixel.nn.conditioning import ConditionBias, Context
from nextpixel.nn.level_embedding import LevelEmbedding
from nextpixel.nn.locally_masked import LocallyMaskedConv2d, LocallyMaskedResidual
from nextpixel.nn.steps.pixel_head import PixelHeadStep


class LocallyMaskedStepper:
    """A model in the middle of a batch of images.

    Args:
        maps: how the image enters.
        first: the first layer, whose last input is one everywhere.
        residuals: the layers after it.
        readout: the head.
        size: height and width of the images.
        ranks: of the pixels, `[H * W]`.
        context: of the conditions, or None.
    """

    def __init__(
        self,
        maps: LevelEmbedding,
        first: LocallyMaskedConv2d,
        residuals: list[LocallyMaskedResidual],
        readout: PixelHeadStep,
        size: tuple[int, int],
        ranks: Tensor,
        context: Context | None,
    ) -> None:
        self.maps, self.readout = maps, readout
        windows = {first.window, *(layer.window for layer in residuals)}
        seen = {}
        for window in windows:
            neighbours = window.neighbours(*size, ranks.device)
            seen[window] = neighbours.where(window.visible(neighbours, ranks), len(ranks)).T.contiguous()
        batch = len(readout.pixel.flat)
        self.first = _ConvStep(first, seen[first.window], batch)
        # What stands outside the image, and for what is to come, is zero in this map as well.
        self.ones = self.first.memory[:, :-1, -1]
        self.layers = [_ResidualStep(layer, seen[layer.window], batch, context) for layer in residuals]
        self.span = [slice(span.start, span.stop) for span in maps.groups.spans]

    def step(self, pixel: int) -> Tensor:
        """Go on to a pixel, all pixels before it being known; its features, `[B, p]`."""
        features = self.first.step(pixel)
        for layer in self.layers:
            features = layer.step(pixel, features)
        return features

    def tell(self, pixel: int, colour: int, values: Tensor) -> None:
        """Give the value of a colour of the pixel, `[B]` floats in [-1, 1]."""
        maps = self.maps.of(values[:, None])
        self.readout.tell(colour, maps)
        self.first.memory[:, pixel, self.span[colour]] = maps
        self.ones[:, pixel] = 1


class _ConvStep:
    """A convolution, with all its inputs so far."""

    def __init__(self, conv: LocallyMaskedConv2d, seen: Tensor, batch: int) -> None:
        outputs, inputs, _ = conv.weight.shape
        self.weight = conv.weight.permute(2, 1, 0).reshape(-1, outputs)
        self.bias = conv.bias
        self.seen = seen
        # The last place stands for all that is not seen.
        self.memory = conv.weight.new_zeros(batch, len(seen) + 1, inputs)

    def step(self, pixel: int, *, offset: Tensor | None = None) -> Tensor:
        """The outputs at a pixel, `[B, outputs]`; `offset` stands for the bias."""
        taps = self.memory.index_select(1, self.seen[pixel]).flatten(1)
        return torch.addmm(self.bias if offset is None else offset, taps, self.weight)


class _ResidualStep:
    """A gated residual layer."""

    def __init__(self, layer: LocallyMaskedResidual, seen: Tensor, batch: int, context: Context | None) -> None:
        self.first, self.second = (_ConvStep(conv, seen, batch) for conv in (layer.first, layer.second))
        self.offset = _Offset(layer.second.bias, layer.condition, context)

    def step(self, pixel: int, features: Tensor) -> Tensor:
        self.first.memory[:, pixel] = F.elu(features)
        self.second.memory[:, pixel] = F.elu(self.first.step(pixel))
        return features + F.glu(self.second.step(pixel, offset=self.offset.at(pixel)), dim=1)


class _Offset:
    """The bias of a layer with what the conditions add to it."""

    def __init__(self, bias: Tensor, condition: ConditionBias | None, context: Context | None) -> None:
        everywhere = None if condition is None or context is None else condition.everywhere(context)
        self.constant = bias if everywhere is None else bias + everywhere
        self.places = self.weight = None
        if condition is not None and condition.places is not None and context is not None:
            assert context.places is not None
            self.places, self.weight = context.places.flatten(2), condition.places.T.contiguous()

    def at(self, pixel: int) -> Tensor:
        """The offset of a pixel, `[outputs]` or `[B, outputs]`."""
        if self.places is None or self.weight is None:
            return self.constant
        return self.constant + self.places[:, :, pixel] @ self.weight

"""A model of turned images, whose generation order begins at another side.

Completing is exact where the unknown pixels come after the known ones. In raster order that is the lower half given the
upper one. A model of images upside down begins at the bottom; one of transposed images goes column by column, from the
left or, mirrored, from the right. It sees images as they are and turns them within: `order` says in which order it
draws them.
"""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from nextpixel.families.base import ImageModel
from nextpixel.families.configs import OrientedConfig
from nextpixel.families.inner import build_inner, inner_conditions, inner_values
from nextpixel.generation.canvas import Canvas
from nextpixel.nn.conditioning import Context


class Oriented(ImageModel):
    """A model that begins at a side of the image.

    The arguments of `ImageModel`, the options of `OrientedConfig` and of the model inside.
    """

    config_class = OrientedConfig
    config: OrientedConfig

    def _make_layers(self) -> None:
        self.side = self.config.order
        channels, height, width = self.image_shape
        size = (height, width) if self.side in ("top", "bottom") else (width, height)
        conditions = inner_conditions(self.context_sizes, size)
        self.inner = build_inner(self.config, (channels, *size), self.levels, conditions)

    @property
    def images_at_once(self) -> int:
        """As many as the model inside draws together."""
        return self.inner.images_at_once

    @property
    def order(self) -> Tensor:
        """Rank of each sub-pixel: rows from the top or the bottom, or columns from the left or the right."""
        return self._turn_back(self.inner.order)

    def _turn(self, images: Tensor) -> Tensor:
        """`[..., H, W]` so that the first row is the side at which the model begins."""
        if self.side == "bottom":
            return images.flip(-2)
        if self.side == "right":
            images = images.flip(-1)
        return images.transpose(-1, -2) if self.side in ("left", "right") else images

    def _turn_back(self, images: Tensor) -> Tensor:
        if self.side == "bottom":
            return images.flip(-2)
        if self.side in ("left", "right"):
            images = images.transpose(-1, -2)
        return images.flip(-1) if self.side == "right" else images

    def _inner_context(self, context: Context | None) -> Context | None:
        if context is not None and context.places is not None:
            context = context._replace(places=self._turn(context.places))
        return self.inner.context_of(inner_values(context, self.context_sizes))

    def _network(self, inputs: Tensor, context: Context | None) -> Tensor:
        turned = self._turn(inputs).contiguous(memory_format=torch.channels_last)
        return self._turn_back(self.inner._network(turned, self._inner_context(context)))

    def fill(self, canvas: Canvas, context: Context | None) -> None:
        """Draw what is unknown on a canvas, with the model inside on the canvas turned."""
        images, nats = self._turn(canvas.images).contiguous(), self._turn(canvas.nats).contiguous()

        def copy_back() -> None:
            canvas.images.copy_(self._turn_back(images))
            canvas.nats.copy_(self._turn_back(nats))

        def watch() -> None:
            copy_back()
            canvas.row_done()

        turned = replace(
            canvas,
            images=images,
            nats=nats,
            known=self._turn(canvas.known),
            uniforms=self._turn(canvas.uniforms),
            watch=None if canvas.watch is None else watch,
        )
        self.inner.fill(turned, self._inner_context(context))
        copy_back()

    def receptive_field(self) -> Tensor:
        """What the model inside promises, at the places where its pixels really are."""
        places = torch.arange(self.order.numel()).view(self.image_shape)
        inner_to_outer = self._turn(places).flatten()
        context = torch.zeros(len(inner_to_outer), len(inner_to_outer), dtype=torch.bool)
        context[inner_to_outer[:, None], inner_to_outer] = self.inner.receptive_field()
        return context

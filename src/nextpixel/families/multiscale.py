"""Multi-Scale PixelRNN: van den Oord et al. 2016, arXiv 1601.06759, section 3.6.

    x_1 = x[::k, ::k]                                   the image, sub-sampled
    p(x) = p(x_1) . p(x | x_1)

An unconditional model draws the small image; a conditional one draws the large image, where each layer sees the small
one through an upsampling network and an unmasked 1x1 convolution (`nextpixel.nn.conditioning`). With several factors
k the small image is drawn in the same way: 7 x 7, then 14 x 14, then 28 x 28.

**The accounting.** The small image is a part of the large one: its pixels (i*k, j*k). Once it is drawn, these are
determined. So they are counted once, with the probability that the small model gave them, and the large model's
probabilities at these places are not used. In the generation order (`order`) the pixels of the smallest image come
first, in raster order, then the new pixels of the next scale, and so on. The new pixels of a scale depend on the whole
smaller image and on the pixels before them, in raster order, of their own scale. All that is past by rank, so
`log_prob` is the exact log-likelihood of the image.

All scales are trained together, by the sum of their losses; they share no weights.

Deviations from the paper: any family may stand inside, not only the PixelRNNs; the upsampling network has two
convolutions before its deconvolutions, so that a pixel sees a neighbourhood of the small image in all directions.
"""

from __future__ import annotations

import torch
from torch import Tensor

from nextpixel.families.base import ImageModel
from nextpixel.families.build import family_class
from nextpixel.families.configs import MultiscaleConfig
from nextpixel.families.inner import build_inner, inner_conditions, inner_values
from nextpixel.generation.canvas import Canvas
from nextpixel.nn.conditioning import Context, Upsampling
from nextpixel.nn.conditions import Condition, Map
from nextpixel.nn.layers import Layers


class Multiscale(ImageModel):
    """A chain of models from a small image to a large one.

    The arguments of `ImageModel`, the options of `MultiscaleConfig` and of the models inside. The images depend on the
    conditions at all scales.
    """

    config_class = MultiscaleConfig
    config: MultiscaleConfig

    def _make_layers(self) -> None:
        self.factor = self.config.factor
        self.strides = [self.factor**step for step in reversed(range(self.config.scales))]
        channels, height, width = self.image_shape
        smaller_condition: dict[str, Condition] = {}
        models: list[ImageModel] = []
        for stride in self.strides:
            size = (-(-height // stride), -(-width // stride))
            conditions = {**smaller_condition, **inner_conditions(self.context_sizes, size)}
            models.append(build_inner(self.config, (channels, *size), self.levels, conditions))
            smaller_condition = {"smaller": Map(channels, size)}
        self.models = Layers(family_class(self.config.inner), models)

    @property
    def order(self) -> Tensor:
        """Rank of each sub-pixel: scale by scale from the smallest, each scale's new pixels in raster order."""
        rank = super().order
        later = rank.numel()
        for stride in self.strides[1:]:
            # Whatever is not in the smaller image comes after all of it.
            is_smaller = torch.zeros_like(rank, dtype=torch.bool)
            is_smaller[:, :: stride * self.factor, :: stride * self.factor] = True
            rank = torch.where(is_smaller, rank, rank + later)
            later *= 2
        return rank.flatten().argsort().argsort().view(rank.shape)

    def scales_of(self, images: Tensor) -> list[Tensor]:
        """The sub-sampled images that the scales consist of, `[..., h, w]`, from the smallest to the whole."""
        return [images[..., ::stride, ::stride] for stride in self.strides]

    def _network(self, inputs: Tensor, context: Context | None) -> Tensor:
        parameters: Tensor | None = None
        smaller: Tensor | None = None
        for model, stride, scale in zip(self.models, self.strides, self.scales_of(inputs), strict=True):
            maps = scale.contiguous(memory_format=torch.channels_last)
            finer = model._network(maps, model.context_of(self._seen_by(stride, smaller, context)))
            if parameters is not None:
                finer = finer.clone()
                finer[..., :: self.factor, :: self.factor] = parameters
            parameters, smaller = finer, maps
        assert parameters is not None
        return parameters

    def fill(self, canvas: Canvas, context: Context | None) -> None:
        """Draw scale by scale; a scale completes the smaller image, which stands on its canvas as known."""
        smaller: Tensor | None = None
        drawn = 0
        for model, stride in zip(self.models, self.strides, strict=True):
            scaled = canvas.every(stride)
            every = scaled.images[0].numel() if len(scaled.images) else 0
            if smaller is not None:
                known = torch.zeros(scaled.images.shape[1:], dtype=torch.bool, device=scaled.images.device)
                known[..., :: self.factor, :: self.factor] = True
                scaled = scaled.knowing(known)
            scaled = scaled.counting(every - drawn, every)
            model.fill(scaled, model.context_of(self._seen_by(stride, smaller, context)))
            drawn = every
            smaller = self.normalised(scaled.images)

    def _seen_by(self, stride: int, smaller: Tensor | None, context: Context | None) -> dict[str, Tensor]:
        """The values of the conditions of the model at a scale."""
        if context is not None and context.places is not None:
            context = context._replace(places=context.places[..., ::stride, ::stride])
        return inner_values(context, self.context_sizes) | ({} if smaller is None else {"smaller": smaller})

    def receptive_field(self) -> Tensor:
        """At its own scale what the model there promises; of the smaller image what the upsampling sees at the pixel.

        By way of other pixels of its scale a pixel sees more of the smaller image, which is not promised.
        """
        channels, height, width = self.image_shape
        places = torch.arange(channels * height * width).view(channels, height, width)
        context = torch.zeros(places.numel(), places.numel(), dtype=torch.bool)
        smaller: Tensor | None = None
        for model, scale in zip(self.models, self.scales_of(places), strict=True):
            field = model.receptive_field()
            if smaller is not None:
                assert model.conditioning is not None
                upsampling = model.conditioning.upsampling["smaller"]
                assert isinstance(upsampling, Upsampling)
                rows, columns = upsampling.reach()
                seen = (rows[:, None, :, None] & columns[None, :, None, :]).expand(channels, -1, -1, -1, -1)
                near = seen[:, :, :, None].expand(-1, -1, -1, channels, -1, -1).flatten(3).flatten(0, 2)
                field[:, self._positions(scale, smaller)] |= near
            is_new = torch.ones(scale.shape, dtype=torch.bool)
            if smaller is not None:
                is_new[:, :: self.factor, :: self.factor] = False
            new = is_new.flatten()
            context[scale.flatten()[new][:, None], scale.flatten()] = field[new]
            smaller = scale
        return context

    @staticmethod
    def _positions(scale: Tensor, smaller: Tensor) -> Tensor:
        """Where the places of the smaller image are among those of the larger one."""
        return torch.searchsorted(scale.flatten().contiguous(), smaller.flatten().contiguous())

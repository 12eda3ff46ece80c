"""PixelSNAIL: Chen et al. 2017, *An Improved Autoregressive Generative Model*, arXiv 1712.09763.

    first convolution, mask A
    blocks: some gated residual layers (`nextpixel.nn.gated_residual`), then causal attention over all pixels before
            (`nextpixel.nn.causal_attention`)
    head (`nextpixel.nn.pixel_head`)

The convolutions bring what is near, and the attention finds what is far, however far: with one block the context is
the whole past. The cost of a pixel grows with the number of pixels before it; step by step, the keys and values of all
of them are kept.

A key contains its own pixel, so attention must be to pixels strictly before; what the first pixel then sees is where
implementations leak (see `nextpixel.nn.causal_attention`).

Deviations from the paper: the network sees pixels, and what a colour knows of the earlier colours of its pixel comes in
at the head, for the softmax as well; one masked convolution stands at the beginning instead of the sum of two shifted
ones, and the kernels also look up and to the right; keys can have several heads; initial weights keep the deviations of
maps instead of being fitted to a batch, without weight normalisation.
"""

from __future__ import annotations

import psutil
import torch
from torch import Tensor

from nextpixel.errors import InputError
from nextpixel.families.configs import PixelSNAILConfig
from nextpixel.families.pixelwise import PixelwiseModel
from nextpixel.families.raster_model import RasterModel
from nextpixel.generation.walk import FLOATS_AT_ONCE
from nextpixel.nn.causal_attention import CausalAttention, places_of
from nextpixel.nn.conditioning import Context
from nextpixel.nn.gated_residual import GatedResidual
from nextpixel.nn.layers import Layers, check_exact
from nextpixel.nn.masked_conv import MaskedConv2d
from nextpixel.nn.masks import ChannelGroups
from nextpixel.nn.recompute import call
from nextpixel.nn.steps.causal_attention import CausalAttentionStep
from nextpixel.nn.steps.convolutions import MaskedConvStep
from nextpixel.nn.steps.feature_row import FeatureRow
from nextpixel.nn.steps.gated_residual import GatedResidualStep
from nextpixel.nn.steps.pixel_head import PixelHeadStep
from nextpixel.nn.steps.pixel_stepper import PixelStepper
from nextpixel.nn.steps.rows_above import RowOffset
from nextpixel.nn.steps.stepper import Stepper


class PixelSNAIL(PixelwiseModel, RasterModel):
    """A PixelSNAIL: the arguments of `ImageModel`, the options of `PixelSNAILConfig`.

    Every layer sees the conditions.
    """

    config_class = PixelSNAILConfig
    config: PixelSNAILConfig
    places: Tensor

    def _make_network(self) -> None:
        config = self.config
        features, dropout, context = config.features, config.dropout, self.context_sizes
        reach = config.first_kernel_size // 2
        self.first = MaskedConv2d(
            self.image_groups, ChannelGroups.split(features, 1), "A", rows_above=reach, reach=reach
        )
        self.residuals = Layers(
            GatedResidual,
            (
                GatedResidual(features, config.kernel_size, dropout=dropout, context=context)
                for _ in range(config.layers * config.block_layers)
            ),
        )
        self.attentions = Layers(
            CausalAttention,
            (
                CausalAttention(
                    features,
                    self.image_groups.channels,
                    heads=config.heads,
                    key_features=config.key_features,
                    value_features=config.value_features,
                    dropout=dropout,
                    context=context,
                )
                for _ in range(config.layers)
            ),
        )
        self.register_buffer("places", places_of(*self.image_shape[1:]), persistent=False)

    def _features(self, maps: Tensor, context: Context | None) -> Tensor:
        recompute = self.checkpoint_activations
        features: Tensor = self.first(maps)
        residuals = iter(self.residuals)
        for attention in self.attentions:
            for _ in range(self.config.block_layers):
                features = call(next(residuals), features, None, context, recompute=recompute)
            features = call(attention, features, maps, self.places, context, recompute=recompute)
        return features

    @property
    def floats_kept(self) -> int:
        """Numbers in the keys and values of an image."""
        config = self.config
        pixels = self.image_shape[1] * self.image_shape[2]
        return config.layers * pixels * config.heads * (config.key_features + config.value_features)

    @property
    def images_at_once(self) -> int:
        """How many images are drawn together, so that their keys and values take some 500 MB at most."""
        return max(1, min(super().images_at_once, FLOATS_AT_ONCE // self.floats_kept))

    def _stepper(self, batch: int, context: Context | None, width: int) -> Stepper:
        assert width == self.image_shape[2]
        needed = batch * self.floats_kept * next(self.parameters()).element_size()
        on_a_gpu = self.device.type == "cuda"
        free = torch.cuda.mem_get_info(self.device)[0] if on_a_gpu else psutil.virtual_memory().available
        if needed > free:
            raise InputError(
                f"the keys and values of {batch} images of {' x '.join(map(str, self.image_shape))} take "
                f"{needed / 1e9:.1f} GB, and {free / 1e9:.1f} GB are free; draw fewer at a time (--count), or train a "
                "model of smaller images or with fewer --layers"
            )
        return PixelSNAILStepper(self, batch, context)

    def receptive_field(self) -> Tensor:
        """The whole past."""
        rank = self.order.flatten()
        return rank[None, :] < rank[:, None]


class PixelSNAILStepper(PixelStepper):
    """A PixelSNAIL in the middle of a batch.

    Args:
        model: the model.
        batch: B.
        context: of the conditions, or None.

    Raises:
        ModelError: a layer is not what the steps compute.
    """

    def __init__(self, model: PixelSNAIL, batch: int, context: Context | None) -> None:
        model.check_ends()
        check_exact([("first", model.first)], MaskedConv2d, "steps")
        check_exact([(f"residuals.{n}", one) for n, one in enumerate(model.residuals)], GatedResidual, "steps")
        check_exact([(f"attentions.{n}", one) for n, one in enumerate(model.attentions)], CausalAttention, "steps")
        first, width = model.first, model.image_shape[2]
        image = FeatureRow(first.bias, batch, width, model.image_maps.groups, first.reach)
        super().__init__(image, model.image_maps, PixelHeadStep(model.readout, batch))
        self.first = MaskedConvStep(
            first.visible_weight,
            "A",
            image.of_one_colour(),
            ChannelGroups.split(model.config.features, 1),
            RowOffset(first.bias),
        )
        residuals = iter([GatedResidualStep(one, batch, width, context) for one in model.residuals])
        self.blocks = [
            (
                [next(residuals) for _ in range(model.config.block_layers)],
                CausalAttentionStep(attention, model.places, batch, context),
            )
            for attention in model.attentions
        ]
        self.seen: list[Tensor] = []

    def start_row(self, row: int) -> None:
        """See `Stepper`."""
        self.first.start_row(row)
        for residuals, attention in self.blocks:
            for residual in residuals:
                residual.start_row(row)
            attention.start_row(row)

    def step(self, column: int) -> Tensor:
        """See `PixelStepper`."""
        features = self.first.step(column, 0)
        self.seen = []
        for residuals, attention in self.blocks:
            for residual in residuals:
                features = residual.step(column, features)
            self.seen.append(features)
            features = attention.step(column, features)
        return features

    def keep(self, column: int) -> None:
        """See `PixelStepper`."""
        image = self.image.places[:, column]
        for (_, attention), features in zip(self.blocks, self.seen, strict=True):
            attention.keep(column, features, image)

"""A model of any order, by locally masked convolutions: Jain et al. 2020, arXiv 2006.12486.

The order of the pixels is data. One set of weights is trained in several orders, a random one at each step: a curve
(row by row, an S-curve, or Hilbert's) and its mirror images. Then

- `log_prob` is the likelihood in the first of them; the mean of the probabilities of several is a distribution over
  images as well, at least as good as the mean of their log-probabilities (`log_probs(..., orders=8)`);
- images are completed in an order that begins with the known pixels, whichever these are: what is drawn is a draw given
  all of them, within the reach of the network. Such an order is none of the curve's, so `known_first` trains in orders
  like it for a part of the steps;
- `in_order` gives the same weights in any other order.

A pixel sees another one only by a chain of pixels, each within the window of the next and before it in the order.
Where the order folds back, as at the turns of a curve, what is near can be out of reach: `receptive_field` has it, for
each order.

Deviations from the paper: gated residual layers with ELU after a first convolution with a large window, instead of a
PixelCNN++; no normalisation over the maps of a pixel; colours as in `nextpixel.nn.pixel_head`.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from nextpixel.errors import InputError
from nextpixel.families.configs import LocallyMaskedConfig
from nextpixel.families.pixelwise import PixelwiseModel
from nextpixel.generation.canvas import Canvas
from nextpixel.generation.pixels import walk_by_pixels
from nextpixel.generation.walk import FLOATS_AT_ONCE
from nextpixel.nn.conditioning import Context
from nextpixel.nn.layers import Layers, check_exact
from nextpixel.nn.locally_masked import LocallyMaskedConv2d, LocallyMaskedResidual, Window
from nextpixel.nn.orders import beginning_with, orders_of, random_part
from nextpixel.nn.recompute import call
from nextpixel.nn.steps.locally_masked import LocallyMaskedStepper
from nextpixel.nn.steps.pixel_head import PixelHeadStep
from nextpixel.runtime.validation import integer


class LocallyMasked(PixelwiseModel):
    """A model of any order: the arguments of `ImageModel`, the options of `LocallyMaskedConfig`.

    Every layer sees the conditions.
    """

    config_class = LocallyMaskedConfig
    config: LocallyMaskedConfig
    completes_from_anything = True
    ranks: Tensor

    def _make_network(self) -> None:
        config = self.config
        features = config.features
        self.first = LocallyMaskedConv2d(
            self.image_groups.channels + 1, features, Window(config.first_kernel_size, 1, strict=True)
        )
        windows = [Window(config.kernel_size, dilation, strict=False) for dilation in (1, config.dilation)]
        self.residuals = Layers(
            LocallyMaskedResidual,
            (
                LocallyMaskedResidual(features, windows[n % 2], dropout=config.dropout, context=self.context_sizes)
                for n in range(config.layers)
            ),
        )
        self.register_buffer("ranks", self._trained_order(0).flatten(), persistent=False)

    def _trained_order(self, number: int) -> Tensor:
        """One of the orders of the training, int64 `[H, W]`."""
        return orders_of(self.config.curve, number + 1, *self.image_shape[1:])[number]

    # Orders ------------------------------------------------------------------------------------------------------

    @property
    def order_count(self) -> int:
        """How many orders the model is trained in."""
        return self.config.orders

    @property
    def order(self) -> Tensor:
        """Rank of each sub-pixel: pixels by their ranks, colours innermost."""
        channels = self.image_shape[0]
        pixels = self.ranks.cpu().view(self.image_shape[1:]) * channels
        return pixels + torch.arange(channels)[:, None, None]

    def in_order(self, order: int | Tensor) -> LocallyMasked:
        """The model with the same weights, in the same memory, in another order.

        Args:
            order: the number of one of the orders of its training, from 0; or ranks `[H, W]`, each number once.

        Raises:
            InputError: it is no order.
        """
        if not isinstance(order, Tensor):
            order = self._trained_order(
                integer("the number of the order", order, 0, self.order_count - 1, error=InputError)
            )
        ranks = order
        count = self.ranks.numel()
        if tuple(ranks.shape) != self.image_shape[1:] or ranks.flatten().sort().values.tolist() != list(range(count)):
            raise InputError(
                f"an order has each of the ranks 0 to {count - 1} once, in the shape {list(self.image_shape[1:])}"
            )
        other = copy.copy(self)
        # The buffers of a shallow copy are those of the model itself.
        other._buffers = {**self._buffers, "ranks": ranks.flatten().long().to(self.device)}
        return other

    @contextmanager
    def step_of_training(self, seed: int) -> Iterator[None]:
        """Inside, one of the orders holds, chosen by the seed of a step; in some a random part comes first in it."""
        order = self._trained_order(seed % self.order_count)
        random = np.random.default_rng(seed)
        if random.random() < self.config.known_first:
            order = beginning_with(random_part(*self.image_shape[1:], random), order)
        self.ranks.copy_(order.flatten())
        try:
            yield
        finally:
            self.ranks.copy_(self._trained_order(0).flatten())

    # Computation -------------------------------------------------------------------------------------------------

    def _features(self, maps: Tensor, context: Context | None) -> Tensor:
        visible = self._visible()
        features: Tensor = self.first(
            torch.cat([maps, torch.ones_like(maps[:, :1])], dim=1), visible[self.first.window]
        )
        for layer in self.residuals:
            seen = visible[layer.window]
            features = call(layer, features, seen, context, recompute=self.checkpoint_activations)
        return features

    def _visible(self) -> dict[Window, Tensor]:
        """Which taps each window has at each place, in the order that holds."""
        windows = {self.first.window, *(layer.window for layer in self.residuals)}
        size = self.image_shape[1:]
        return {window: window.visible(window.neighbours(*size, self.ranks.device), self.ranks) for window in windows}

    @property
    def images_at_once(self) -> int:
        """How many images are drawn together, so that the features of all their pixels take some 500 MB at most."""
        config, pixels = self.config, self.ranks.numel()
        kept = pixels * (self.image_groups.channels + 1 + 2 * config.layers * config.features)
        return max(1, min(super().images_at_once, FLOATS_AT_ONCE // kept))

    def fill(self, canvas: Canvas, context: Context | None) -> None:
        """Draw what is unknown on a canvas, in the order, but that pixels which are known come first."""
        self.check_arithmetic()
        self.check_ends()
        check_exact([("first", self.first)], LocallyMaskedConv2d, "steps")
        check_exact([(f"residuals.{n}", one) for n, one in enumerate(self.residuals)], LocallyMaskedResidual, "steps")
        known = canvas.known.all(dim=1)
        masks, group = known.flatten(1).unique(dim=0, return_inverse=True)
        if len(masks) <= 1:
            self._fill_in_one_order(canvas, context, known[:1])
            return
        for number in range(len(masks)):
            images = (group == number).nonzero()[:, 0]
            part = replace(
                canvas,
                images=canvas.images[images],
                nats=canvas.nats[images],
                known=canvas.known[images],
                uniforms=canvas.uniforms[images],
                watch=None,
            )
            self._fill_in_one_order(part, None if context is None else context.part(images), known[images[:1]])
            canvas.images[images], canvas.nats[images] = part.images, part.nats
            canvas.row_done()

    def _fill_in_one_order(self, canvas: Canvas, context: Context | None, known: Tensor) -> None:
        """Draw images of which the same pixels are known, bool `[1, H, W]`."""
        if not len(canvas.images):
            return
        ranks = beginning_with(known[0].to(self.device), self.ranks.view(self.image_shape[1:])).flatten()
        steps = LocallyMaskedStepper(
            self.image_maps,
            self.first,
            list(self.residuals),
            PixelHeadStep(self.readout, len(canvas.images)),
            self.image_shape[1:],
            ranks,
            context,
        )
        walk_by_pixels(steps, self.distribution, canvas, ranks.argsort().tolist())

    def receptive_field(self) -> Tensor:
        """What chains of windows reach, in the order that holds: see the module's docstring."""
        count = self.ranks.numel()
        size, device = self.image_shape[1:], torch.device("cpu")
        ranks = self.ranks.cpu()

        def seen_by(window: Window, sees: Tensor) -> Tensor:
            """What each pixel sees by way of its window, given what those in it see, bool `[H * W, H * W]`."""
            neighbours = window.neighbours(*size, device)
            visible = window.visible(neighbours, ranks)
            result = torch.zeros_like(sees)
            for others, there in zip(neighbours, visible, strict=True):
                result |= sees[others.clamp(max=count - 1)] & there[:, None]
            return result

        sees = seen_by(self.first.window, torch.eye(count, dtype=torch.bool))
        for layer in self.residuals:
            sees = seen_by(layer.window, seen_by(layer.window, sees))
        return self.of_pixels(sees)

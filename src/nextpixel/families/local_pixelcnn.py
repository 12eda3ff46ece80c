"""A local PixelCNN, for images of any size.

One masked convolution with a large window and 1x1 layers after it: a pixel sees its neighbourhood and nothing else, as
in the local models of Zhang et al. 2021 (arXiv 2109.02639) and NeLLoC (Zhang et al. 2022, arXiv 2202.12120), which
found that what all photographs have in common lies there. The network runs once a pixel, not once a sub-pixel: the
colours of a pixel depend on each other by the head alone, so the logistic mixture is the head to take. With a softmax
they are independent of each other, given the pixels before.

The window's values, and the head's means and scales, are in the units of the neighbourhood
(`nextpixel.nn.local_units`):

    h = relu(W x)                        x: the window, the neighbourhood's means and deviations
    h = h + B relu(A h)                  in each block
    means and scales in local units, weights, coefficients = O relu(h)

Nothing depends on the place in the image or on the image's size.
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import ClassVar

import torch
from torch import Tensor, nn

from nextpixel.families.base import ImageModel
from nextpixel.families.configs import LocalPixelCNNConfig
from nextpixel.generation.canvas import Canvas
from nextpixel.generation.wavefront import walk_by_fronts
from nextpixel.nn.conditioning import ConditionBias, Context, ContextSizes
from nextpixel.nn.initialisation import has_values
from nextpixel.nn.layers import Layers
from nextpixel.nn.local_units import LocalUnits, local_units
from nextpixel.nn.local_window import LARGEST, MIDDLE_STEP, STEPS_A_UNIT, LocalWindow
from nextpixel.nn.logistic_mixture import LogisticMixture
from nextpixel.nn.mixture_in_units import log_prob_in_units
from nextpixel.nn.recompute import call

PIXELS_AT_ONCE = 2**14
"""Of images in evaluation, so that memory does not grow with their size."""

FIRST_DEVIATION, OUTER_DEVIATION, OUTPUT_DEVIATION = 0.75, 0.3 * math.sqrt(2), 0.2
"""Of the initial weights, times the root of the inputs: a deep stack begins near the identity, the head near one
mixture."""


class LocalLayer(nn.Module):
    """A 1x1 layer and the conditions that shift it, before a ReLU.

    Args:
        inputs: numbers of a pixel that it takes.
        outputs: numbers of a pixel that it gives.
        deviation: of the initial weights, times the root of `inputs`.
        sizes: channels of the conditions; None without.
    """

    PARTS: ClassVar[dict[str, type[nn.Module]]] = {"linear": nn.Linear, "condition": ConditionBias}

    def __init__(self, inputs: int, outputs: int, deviation: float, sizes: ContextSizes | None) -> None:
        super().__init__()
        self.linear = nn.Linear(inputs, outputs)
        if has_values(self.linear.weight):
            nn.init.normal_(self.linear.weight, std=deviation / math.sqrt(inputs))
            nn.init.zeros_(self.linear.bias)
        self.condition = ConditionBias(sizes, outputs) if sizes else None

    def forward(self, features: Tensor, context: Context | None) -> Tensor:
        """From `[B, N, inputs]` at N pixels to `[B, N, outputs]`."""
        maps: Tensor = self.linear(features)
        if self.condition is not None and context is not None:
            maps = self.condition(maps.transpose(1, 2)[..., None], context)[..., 0].transpose(1, 2)
        return maps


class LocalBlock(nn.Module):
    """h + B relu(A h).

    Args:
        features: numbers of a pixel.
        sizes: channels of the conditions; None without.
    """

    PARTS: ClassVar[dict[str, type[nn.Module]]] = {"inner": LocalLayer, "activation": nn.ReLU, "outer": LocalLayer}

    def __init__(self, features: int, sizes: ContextSizes | None) -> None:
        super().__init__()
        self.inner = LocalLayer(features, features, math.sqrt(2), sizes)
        self.activation = nn.ReLU()
        self.outer = LocalLayer(features, features, OUTER_DEVIATION, None)

    def forward(self, features: Tensor, context: Context | None) -> Tensor:
        """From `[B, N, features]` to as many."""
        change: Tensor = self.outer(self.activation(self.inner(features, context)), None)
        return features + change


class LocalPixelCNN(ImageModel):
    """A local PixelCNN: the arguments of `ImageModel`, the options of `LocalPixelCNNConfig`.

    `image_shape` says which channels images must have, and how large those are that `sample` draws. All other methods
    take images of any height and width. Every block sees the conditions.
    """

    config_class = LocalPixelCNNConfig
    config: LocalPixelCNNConfig
    any_size = True
    knows_positions = False

    def _make_layers(self) -> None:
        features = self.config.features
        self.window = LocalWindow(self.config.kernel_size // 2, self.config.distance, self.config.lag)
        self.beyond = self.levels // 2
        self.half_range = (self.levels - 1) / 2
        channels = self.image_shape[0]
        inputs = (len(self.window.offsets) + 2) * channels
        self.first = LocalLayer(inputs, features, FIRST_DEVIATION, self.context_sizes)
        self.activation = nn.ReLU()
        self.blocks = Layers(LocalBlock, (LocalBlock(features, self.context_sizes) for _ in range(self.config.layers)))
        self.output = LocalLayer(features, self._outputs, OUTPUT_DEVIATION, None)
        self._spread_components()

    @property
    def _outputs(self) -> int:
        """Numbers of a pixel that the last layer gives; a mixture needs no coefficients of later colours."""
        channels = self.image_shape[0]
        if isinstance(self.distribution, LogisticMixture):
            return self.distribution.components * (3 * channels + channels * (channels - 1) // 2)
        return self.distribution.parameters * channels

    @property
    def _parameter_shape(self) -> tuple[int, int]:
        return self.image_shape[0], self.distribution.parameters

    @torch.no_grad()
    def _spread_components(self) -> None:
        """Begin with components beside each other, and with colours that move as one."""
        if not isinstance(self.distribution, LogisticMixture) or not has_values(self.output.linear.bias):
            return
        channels, components = self.image_shape[0], self.distribution.components
        parts = self.output.linear.bias.view(-1, components)
        parts[channels : 2 * channels] = torch.linspace(-0.3, 0.3, components) if components > 1 else 0.0
        parts[2 * channels : 3 * channels] = -1.0
        for colour in range(1, channels):
            first = 3 * channels + colour * (colour - 1) // 2
            parts[first : first + colour] = 1 / colour

    def _network(self, inputs: Tensor, context: Context | None) -> Tensor:
        batch, _, height, width = inputs.shape
        canvas = self._canvas(inputs)
        rows = height if torch.is_grad_enabled() else max(1, PIXELS_AT_ONCE // max(1, batch * width))
        tops = [*range(0, height, rows), height]
        strips = [self._strip(canvas, top, bottom, width, context) for top, bottom in pairwise(tops)]
        # [B, H, W, C, P] to [B, P, C, H, W]
        return torch.cat(strips, dim=1).permute(0, 4, 3, 1, 2)

    def _strip(self, canvas: Tensor, top: int, bottom: int, width: int, context: Context | None) -> Tensor:
        """The head's parameters in some rows, `[B, rows, W, C, P]`."""
        reach = self.window.reach
        windows = torch.stack(
            [
                canvas[:, reach + top + down : reach + bottom + down, reach + right : reach + right + width]
                for down, right in self.window.offsets
            ],
            dim=3,
        )
        if context is not None and context.places is not None:
            context = context._replace(places=context.places[:, :, top:bottom].flatten(2)[..., None])
        return self.parameters_at(windows.flatten(1, 2), context).view(
            len(canvas), bottom - top, width, *self._parameter_shape
        )

    def _canvas(self, inputs: Tensor) -> Tensor:
        """The image in levels, with what stands beyond its edges: `[B, reach + H, reach + W + reach, C]`."""
        batch, channels, height, width = inputs.shape
        sources = torch.from_numpy(self.window.sources(height, width)).to(inputs.device)
        pixels = (inputs.flatten(2).transpose(1, 2) + 1) * self.half_range
        beyond = pixels.new_full((batch, 1, channels), self.beyond)
        return torch.cat([pixels, beyond], dim=1)[:, sources.flatten()].view(batch, *sources.shape, channels)

    def parameters_at(self, windows: Tensor, context: Context | None) -> Tensor:
        """The head's parameters at some pixels, without what earlier colours of a pixel add.

        Args:
            windows: values in levels, `[B, N, n, C]`, in the order of `window.offsets`.
            context: what the layers see of the conditions; its places, `[B, s, N, 1]`, are those of these pixels.

        Returns:
            `[B, N, C, distribution.parameters]`.
        """
        outputs, units = self._outputs_at(windows, context)
        return self._of_distribution(outputs, units)

    def _outputs_at(self, windows: Tensor, context: Context | None) -> tuple[Tensor, LocalUnits]:
        """The last layer's numbers, `[B, N, outputs]`, and the units of the neighbourhoods, `[B, N, C]`."""
        units = local_units(windows[:, :, list(self.window.nearest)], self.levels)
        # Repeated, not broadcast: a loop over the few colours of each neighbour takes five times as long.
        mean, deviation = (unit.repeat(1, 1, windows.shape[2]) for unit in (units.mean, units.deviation))
        values = (windows.flatten(2) - mean) / deviation
        middle = (units.mean - self.beyond) * (4 / self.levels)
        step = (units.step - MIDDLE_STEP) / STEPS_A_UNIT
        inputs = torch.cat([values.clamp(-LARGEST, LARGEST), middle, step], dim=2)
        features: Tensor = self.activation(self.first(inputs, context))
        for block in self.blocks:
            features = call(block, features, context, recompute=self.checkpoint_activations)
        return self.output(self.activation(features), None), units

    def log_prob_at(self, windows: Tensor, values: Tensor) -> Tensor:
        """Log-probabilities of some pixels by their windows alone, for a model without conditions; with gradients.

        Args:
            windows: values in levels, `[N, n, C]`, in the order of `window.offsets`.
            values: of the pixels themselves, integers `[N, C]` in 0..levels-1.

        Returns:
            Nats of each colour given the window and the earlier colours, float `[N, C]`.
        """
        outputs, units = self._outputs_at(windows.float()[None], None)
        if isinstance(self.distribution, LogisticMixture):
            return log_prob_in_units(outputs[0], LocalUnits(*(unit[0] for unit in units)), values, self.distribution)
        parameters = self._of_distribution(outputs, units)[0]
        inputs = values.to(parameters) / self.half_range - 1
        # [N, C, P] to [N, P, C, 1, 1], as if each pixel were an image.
        maps = parameters.transpose(1, 2)[..., None, None]
        coupled = self.distribution.coupled_map(maps, inputs[..., None, None])
        return self.distribution.log_prob(coupled, values.long()[..., None, None])[..., 0, 0]

    def _of_distribution(self, outputs: Tensor, units: LocalUnits) -> Tensor:
        """The last layer's numbers as the distribution's parameters: out of local units, into values in [-1, 1]."""
        channels = self.image_shape[0]
        if not isinstance(self.distribution, LogisticMixture):
            return outputs.view(*outputs.shape[:2], *self._parameter_shape)
        components = self.distribution.components
        parts = outputs.view(*outputs.shape[:2], outputs.shape[2] // components, components)
        logits, means, scales = (parts[:, :, first : first + channels] for first in range(0, 3 * channels, channels))
        means = (units.mean[..., None] + units.deviation[..., None] * means) / self.half_range - 1
        scales = scales + (units.deviation / self.half_range).log()[..., None]
        centre = units.mean / self.half_range - 1
        colours = []
        for colour in range(channels):
            first = 3 * channels + colour * (colour - 1) // 2
            coefficients = parts[:, :, first : first + colour]
            # A mean moves with the distance of the earlier colours from their neighbourhood's mean.
            mean = means[:, :, colour] - (coefficients * centre[:, :, :colour, None]).sum(dim=2)
            unused = outputs.new_zeros((*outputs.shape[:2], (channels - 1 - colour) * self.distribution.components))
            colours.append(
                torch.cat([logits[:, :, colour], mean, scales[:, :, colour], coefficients.flatten(2), unused], dim=2)
            )
        return torch.stack(colours, dim=2)

    def fill(self, canvas: Canvas, context: Context | None) -> None:
        """Draw what is unknown on a canvas, all pixels at once whose windows are known."""
        walk_by_fronts(self, self.window, canvas, context)

    def receptive_field(self) -> Tensor:
        """The window, or what stands for it beyond an edge, and the earlier colours of the pixel itself."""
        channels, height, width = self.image_shape
        sources = torch.from_numpy(self.window.sources(height, width))
        reach, pixels = self.window.reach, height * width
        sees = torch.zeros(pixels, pixels + 1, dtype=torch.bool)
        for down, right in self.window.offsets:
            rows, columns = slice(reach + down, reach + down + height), slice(reach + right, reach + right + width)
            sees[torch.arange(pixels), sources[rows, columns].flatten()] = True
        field = sees[:, :pixels].expand(channels, channels, -1, -1).permute(0, 2, 1, 3).clone()
        if self.distribution.couples:
            earlier = torch.ones(channels, channels, dtype=torch.bool).tril(-1)
            field[:, torch.arange(pixels), :, torch.arange(pixels)] |= earlier
        return field.flatten(2).flatten(0, 1)

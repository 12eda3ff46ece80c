"""Conditioning of every layer (arXiv 1606.05328, section 2.3; arXiv 1601.06759, section 3.6).

    y = tanh(W_f * x + V_f h) . sigmoid(W_g * x + V_g h)              what belongs to the whole image: labels, vectors
    y = tanh(W_f * x + V_f * s) . sigmoid(W_g * x + V_g * s)          what belongs to places: s = m(h), V a 1x1

`Conditioning` stands once in a model and makes h and s of the values that the user gives: labels become one-hot
vectors, vectors are standardised, maps go through the upsampling network m, and several conditions are concatenated.
`ConditionBias` stands in every layer and is V: what it gives is added to the layer's maps before their nonlinearity.
Nothing here is masked, as no condition is part of the image.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nextpixel.errors import ModelError
from nextpixel.nn.conditions import Condition, Labels, Map, Vector
from nextpixel.nn.enlargement import kernel_side, padding, strides
from nextpixel.nn.initialisation import has_values, keep_deviation

COARSE_LAYERS = 2
"""3x3 convolutions of an upsampling network, before the first deconvolution."""

# A condition shifts a layer's maps, whose deviation is 1, by so much at first: it is felt, and nothing saturates.
BIAS_DEVIATION = 0.3


class Context(NamedTuple):
    """What the layers see of the conditions.

    Attributes:
        vector: h, `[B, h]`, or None where nothing belongs to the whole image.
        places: s, `[B, s, H, W]`, or None where nothing belongs to places.
    """

    vector: Tensor | None
    places: Tensor | None

    def part(self, images: slice | Tensor) -> Context:
        """The context of some images of the batch."""
        return Context(*(part if part is None else part[images] for part in self))


class Parts(NamedTuple):
    """Numbers of channels of each condition, by name and in order, in the two parts of a `Context`."""

    vector: dict[str, int]
    places: dict[str, int]


class ContextSizes(NamedTuple):
    """Channels of the two parts of a `Context`; 0 where there is none.

    Attributes:
        vector: channels of h.
        places: channels of s.
        square: the expected square of the length of h: a one-hot vector has 1, a standardised one as much as channels.
    """

    vector: int
    places: int
    square: int


class Conditioning(nn.Module):
    """From the values of all conditions to the context that the layers see.

    Args:
        conditions: the conditions by name.
        image_size: height and width of the image.
        features: maps of an upsampling network, and of what it gives.

    Raises:
        ModelError: a map is larger than the image.
    """

    def __init__(self, conditions: dict[str, Condition], image_size: tuple[int, int], features: int) -> None:
        super().__init__()
        self.conditions = conditions
        self.upsampling = nn.ModuleDict()
        self.standardise = nn.ModuleDict()
        vector: dict[str, int] = {}
        places: dict[str, int] = {}
        for name, kind in conditions.items():
            if isinstance(kind, Labels):
                vector[name] = kind.count
            elif isinstance(kind, Vector):
                self.standardise[name] = Standardise(kind.size)
                vector[name] = kind.size
            elif isinstance(kind, Map):
                self.upsampling[name] = Upsampling(kind.channels, features, kind.size, image_size)
                places[name] = features
        self.parts = Parts(vector, places)
        square = sum(1 if isinstance(conditions[name], Labels) else size for name, size in vector.items())
        self.sizes = ContextSizes(sum(vector.values()), sum(places.values()), square)

    def forward(self, values: dict[str, Tensor], dtype: torch.dtype) -> Context:
        """Encode the values, by name as `conditions.checked_values` gives them, in the dtype of the layers."""
        vectors, places = [], []
        for name, kind in self.conditions.items():
            if isinstance(kind, Labels):
                vectors.append(F.one_hot(values[name], kind.count).to(dtype))
            elif isinstance(kind, Vector):
                vectors.append(self.standardise[name](values[name].to(dtype)))
            else:
                places.append(self.upsampling[name](values[name].to(dtype)))
        return Context(torch.cat(vectors, dim=1) if vectors else None, torch.cat(places, dim=1) if places else None)

    def fit(self, values: dict[str, Tensor]) -> None:
        """Take the means and deviations of vectors from those of a training set, `[N, d]` by name."""
        for name, module in self.standardise.items():
            assert isinstance(module, Standardise)
            module.fit(values[name])


class ConditionBias(nn.Module):
    """V: what the conditions add to a layer's maps.

    Args:
        sizes: channels of the context.
        outputs: channels of the layer's maps.
    """

    def __init__(self, sizes: ContextSizes, outputs: int) -> None:
        super().__init__()
        self.square = sizes.square
        self.vector = nn.Parameter(torch.empty(outputs, sizes.vector)) if sizes.vector else None
        self.places = nn.Parameter(torch.empty(outputs, sizes.places)) if sizes.places else None
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw the weights so that both parts of the context shift the maps by a like amount."""
        with torch.no_grad():
            if self.vector is not None and has_values(self.vector):
                self.vector.normal_().mul_(BIAS_DEVIATION / math.sqrt(self.square))
            if self.places is not None and has_values(self.places):
                self.places.normal_().mul_(BIAS_DEVIATION / math.sqrt(self.places.shape[1]))

    def everywhere(self, context: Context) -> Tensor | None:
        """What the conditions add at all places, `[B, outputs]`."""
        return None if self.vector is None or context.vector is None else F.linear(context.vector, self.vector)

    def forward(self, maps: Tensor, context: Context) -> Tensor:
        """The maps, `[B, outputs, H, W]`, with what the conditions add to them."""
        everywhere = self.everywhere(context)
        if everywhere is not None:
            maps = maps + everywhere[:, :, None, None]
        if self.places is not None and context.places is not None:
            maps = maps + F.conv2d(context.places, self.places[:, :, None, None])
        return maps

    def join(self, inputs: Tensor, weight: Tensor, bias: Tensor, context: Context) -> tuple[Tensor, Tensor, Tensor]:
        """The same addition as a part of the convolution that makes the maps, for a layer that computes it itself.

        Args:
            inputs: what the convolution looks at, `[B, m, H, W]`.
            weight: `[outputs, m]`.
            bias: `[outputs, 1]`.
            context: of the batch.

        Returns:
            Inputs and weight with the context's places as further inputs, and the bias, `[outputs, 1]` or
            `[outputs, B]`, with what its vector adds.
        """
        if self.vector is not None and context.vector is not None:
            bias = bias + F.linear(self.vector, context.vector)
        if self.places is not None and context.places is not None:
            inputs = torch.cat([inputs, context.places.to(inputs.dtype)], dim=1)
            weight = torch.cat([weight, self.places], dim=1)
        return inputs, weight, bias


class Standardise(nn.Module):
    """Vectors with the means and deviations of the training set taken out; untouched until `fit`."""

    mean: Tensor
    deviation: Tensor

    def __init__(self, size: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(size))
        self.register_buffer("deviation", torch.ones(size))

    def fit(self, vectors: Tensor) -> None:
        """Measure `[N, d]` vectors; numbers that never change are left as they are.

        What was measured before stays: the weights were trained with it.
        """
        if self.mean.any() or (self.deviation != 1).any():
            return
        vectors = vectors.double()
        deviation = vectors.std(dim=0, correction=0)
        self.mean.copy_(vectors.mean(dim=0))
        self.deviation.copy_(torch.where(deviation > 1e-6 * (1 + vectors.abs().amax(dim=0)), deviation, 1))

    def forward(self, vectors: Tensor) -> Tensor:
        """Vectors `[B, d]` in units of their deviation over the training set."""
        return (vectors - self.mean) / self.deviation


class Upsampling(nn.Module):
    """The network m from a coarse map to one of the image's size: two 3x3 convolutions, then deconvolutions.

    Place i of the coarse map lies at the places from i*k to i*k + k-1 of the image, k = ceil(image side / map side), or
    the next k without a prime factor above 5; what reaches over the image's edge is cut off.

    Args:
        channels: channels of the coarse map.
        features: maps of all layers, and of the result.
        size: height and width of the coarse map.
        image_size: height and width of the image.

    Raises:
        ModelError: the map is larger than the image.
    """

    def __init__(self, channels: int, features: int, size: tuple[int, int], image_size: tuple[int, int]) -> None:
        super().__init__()
        if size[0] > image_size[0] or size[1] > image_size[1]:
            raise ModelError(f"a map of {size} is larger than the image, {image_size}; make it smaller")
        self.size, self.image_size = size, image_size
        factors = [math.ceil(large / small) for large, small in zip(image_size, size, strict=True)]
        self.strides = strides(*factors)
        self.coarse = nn.ModuleList(
            nn.Conv2d(channels_in, features, 3, padding=1)
            for channels_in in (channels, *[features] * (COARSE_LAYERS - 1))
        )
        self.fine = nn.ModuleList(
            nn.ConvTranspose2d(
                features,
                features,
                (kernel_side(down), kernel_side(across)),
                stride=(down, across),
                padding=(padding(down), padding(across)),
            )
            for down, across in self.strides
        )
        for layer in (*self.coarse, *self.fine):
            keep_deviation(layer)

    def forward(self, maps: Tensor) -> Tensor:
        """From `[B, channels, *size]` to `[B, features, *image_size]`."""
        for layer in (*self.coarse, *self.fine):
            maps = F.elu(layer(maps))
        height, width = self.image_size
        # Not by a slice, whose gradient would have another layout in memory than all others.
        return F.pad(maps, (0, width - maps.shape[3], 0, height - maps.shape[2]))

    def reach(self) -> tuple[Tensor, Tensor]:
        """Which rows of the coarse map a row of the image sees, bool `[H, h]`, and the same of columns, `[W, w]`."""
        rows, columns = (self._reach(axis) for axis in (0, 1))
        return rows, columns

    def _reach(self, axis: int) -> Tensor:
        place = torch.arange(self.size[axis])
        sees = (place[:, None] - place).abs() <= COARSE_LAYERS
        for stage in self.strides:
            stride = stage[axis]
            source = torch.arange(len(sees))
            tap = torch.arange(len(sees) * stride)[:, None] + padding(stride) - source * stride
            sees = ((tap >= 0) & (tap < kernel_side(stride))).float() @ sees.float() > 0
        return sees[: self.image_size[axis]]

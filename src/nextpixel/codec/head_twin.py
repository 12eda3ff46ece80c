"""The integer twin of the head (`nextpixel.nn.head`)."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from nextpixel.codec.convolution_twin import Product
from nextpixel.codec.integers import ONE, Part, elu_table
from nextpixel.codec.twin import Model, Twin
from nextpixel.errors import ModelError
from nextpixel.nn.head import Head
from nextpixel.nn.masks import ChannelGroups
from nextpixel.nn.steps.feature_row import FeatureRow

LARGEST_LOGIT = 1 << 15
"""Logits are kept within 128."""


class HeadTwin:
    """The integers of a head.

    Args:
        twin: of the model.
        readout: the module.
        largest: the largest integer of the features that it reads.
        largest_hidden: the largest integer between its convolutions.
        activation: its nonlinearity, ELU or ReLU.
    """

    def __init__(
        self,
        twin: Twin[Model],
        readout: Head,
        largest: int,
        largest_hidden: int,
        activation: Callable[[Tensor], Tensor],
    ) -> None:
        self.elu = activation is F.elu
        self.features, self.groups = readout.features, readout.groups
        self.numbers, self.channels = readout.numbers, readout.channels
        self.largest, self.largest_hidden = largest, largest_hidden
        first, second = (layer.visible_weight[:, :, 0, 0].double() for layer in (readout.hidden, readout.output))
        self.hidden = twin.head_sum(Part(first, max(largest, ONE)), readout.hidden.bias)
        self.output = twin.head_sum(Part(second, max(largest_hidden, ONE)), readout.output.bias)
        self.carrier = twin.head_carrier

    @staticmethod
    def check(readout: Head, activation: Callable[[Tensor], Tensor]) -> None:
        """Refuse a head with another nonlinearity.

        Raises:
            ModelError: it has another one.
        """
        if readout.activation is not activation:
            raise ModelError(
                f"the head has another nonlinearity than {activation.__name__}, which alone the integers know; "
                "compress with a model of nextpixel's own layers"
            )

    @staticmethod
    def measure(readout: Head, maps: Tensor) -> list[float]:
        """The largest absolute values of the features that the head reads, and of those between its convolutions."""
        hidden = readout.hidden(readout.activation(maps))
        return [float(maps.abs().max()), float(hidden.abs().max())]

    def step(self, batch: int, like: Tensor) -> HeadTwinStep:
        """The head at the pixels of a batch."""
        return HeadTwinStep(self, batch, like)


class HeadTwinStep:
    """The head, at a pixel colour by colour or at a whole row.

    Args:
        twin: its integers.
        batch: B.
        like: of the dtype and device of the rest of the twin.
    """

    def __init__(self, twin: HeadTwin, batch: int, like: Tensor) -> None:
        self.twin = twin
        like = like.to(torch.promote_types(like.dtype, twin.carrier))
        self.maps = FeatureRow(like, batch, 1, twin.features, 0)
        self.hidden = FeatureRow(like, batch, 1, twin.groups, 0)
        self.activations = [self._activation(largest, like) for largest in (twin.largest, twin.largest_hidden)]
        outputs = ChannelGroups.split(twin.numbers * twin.channels, twin.channels)
        self.first = Product(twin.hidden, twin.features, twin.groups, twin.largest_hidden, like)
        self.second = Product(twin.output, twin.groups, outputs, LARGEST_LOGIT, like)

    def _activation(self, largest: int, like: Tensor) -> Callable[[Tensor], Tensor]:
        if not self.twin.elu:
            return lambda maps: maps.clamp(min=0).to(like)
        values = elu_table(largest).to(like)
        return lambda maps: values[(maps + largest).long()]

    def whole(self, maps: Tensor) -> Tensor:
        """Logits `[W, B, C, levels]` of features `[W, B, features]`."""
        hidden = self.first.whole(self.activations[0](maps))
        logits = self.second.whole(self.activations[1](hidden))
        return logits.view(*logits.shape[:2], self.twin.channels, self.twin.numbers)

    def read(self, colour: int, maps: Tensor) -> Tensor:
        """Logits `[B, levels]` of the features of a colour, `[B, group]`; the colours are read in order."""
        self.maps.own[0][colour].copy_(self.activations[0](maps))
        hidden = self.first.of(colour, self.maps.seen[0][colour])
        self.hidden.own[0][colour].copy_(self.activations[1](hidden))
        return self.second.of(colour, self.hidden.seen[0][colour])

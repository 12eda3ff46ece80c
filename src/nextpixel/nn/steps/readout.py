"""The readout (`nextpixel.nn.readout`) step by step."""

from __future__ import annotations

import torch
from torch import Tensor

from nextpixel.nn.readout import Readout


class ReadoutStep:
    """The two convolutions of the head at one pixel, colour by colour.

    Args:
        readout: the module.
        batch: B.
    """

    def __init__(self, readout: Readout, batch: int) -> None:
        self.activation = readout.activation
        features, hidden = readout.features, readout.groups
        like = readout.hidden.weight
        self.maps, self.hidden = (like.new_zeros(batch, groups.channels) for groups in (features, hidden))
        self.own_maps, self.maps_so_far = _pieces(self.maps, features.ends)
        self.own_hidden, self.hidden_so_far = _pieces(self.hidden, hidden.ends)
        first = readout.hidden.visible_weight[:, :, 0, 0].T
        second = readout.output.visible_weight[:, :, 0, 0].T
        self.first, self.second = [], []
        self.first_bias, self.second_bias = [], []
        numbers = readout.numbers
        for colour, (end, hidden_end) in enumerate(zip(features.ends, hidden.ends, strict=True)):
            own = list(hidden.of(colour))
            self.first.append(first[:end, own].contiguous())
            self.first_bias.append(readout.hidden.bias[own])
            outputs = slice(colour * numbers, (colour + 1) * numbers)
            self.second.append(second[:hidden_end, outputs].contiguous())
            self.second_bias.append(readout.output.bias[outputs])

    def read(self, colour: int, maps: Tensor) -> Tensor:
        """The parameters of a sub-pixel, `[B, parameters]`, from the features of its colour, `[B, group]`.

        The colours of a pixel are to be read in order, none left out.
        """
        self.prepare(colour, maps)
        return torch.addmm(self.second_bias[colour], self.hidden_so_far[colour], self.second[colour])

    def prepare(self, colour: int, maps: Tensor) -> None:
        """Take the features of a colour whose distribution is not asked for; later colours see them."""
        self.own_maps[colour].copy_(self.activation(maps))
        hidden = torch.addmm(self.first_bias[colour], self.maps_so_far[colour], self.first[colour])
        self.own_hidden[colour].copy_(self.activation(hidden))


def _pieces(buffer: Tensor, ends: tuple[int, ...]) -> tuple[list[Tensor], list[Tensor]]:
    """For each colour its own channels, and those of all colours up to it."""
    return [buffer[:, a:b] for a, b in zip((0, *ends[:-1]), ends, strict=True)], [buffer[:, :b] for b in ends]

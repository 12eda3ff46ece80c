"""Colour groups of feature maps, and the masks A and B between them (arXiv 1601.06759, section 3.4).

Within a pixel the colours come in order: R, then G given R, then B given R and G. So every feature map belongs to
one colour. A connection at the current pixel is allowed from a map of colour `a` to a map of colour `b` when

    mask A:  a < b      (first layer: the input map `a` is the colour itself, which `b = a` must not see)
    mask B:  a <= b     (later layers: map `a` holds only what colour `a` may know)

Whatever lies at an earlier pixel may be seen by every colour and needs no mask.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from nextpixel.errors import ModelError

if TYPE_CHECKING:
    # Decoding without PyTorch needs the groups, too.
    from torch import Tensor

MaskKind = Literal["A", "B"]


@dataclass(frozen=True)
class ChannelGroups:
    """The colour that each channel of a feature map belongs to.

    Attributes:
        colours: for each channel, the index of its colour, 0 for the first in the generation order.
    """

    colours: tuple[int, ...]

    @classmethod
    def split(cls, channels: int, colours: int) -> ChannelGroups:
        """Divide `channels` into one contiguous block a colour; sizes differ by at most one (128 = 43+43+42).

        Raises:
            ModelError: there are fewer channels than colours, so that a colour would have no features.
        """
        if channels < colours:
            raise ModelError(f"{channels} features cannot be divided among {colours} colours; use at least {colours}")
        small, larger = divmod(channels, colours)
        sizes = [small + (colour < larger) for colour in range(colours)]
        return cls(tuple(colour for colour, size in enumerate(sizes) for _ in range(size)))

    @property
    def channels(self) -> int:
        """Number of channels."""
        return len(self.colours)

    @cached_property
    def ends(self) -> tuple[int, ...]:
        """For each colour the number of channels up to and including its own, where they stand in order."""
        counts = Counter(self.colours)
        return tuple(accumulate(counts[colour] for colour in range(max(counts) + 1)))

    @cached_property
    def spans(self) -> tuple[slice, ...]:
        """For each colour its channels, where they stand in order."""
        return tuple(slice(start, end) for start, end in zip((0, *self.ends), self.ends, strict=False))

    @cached_property
    def members(self) -> tuple[list[int], ...]:
        """For each colour its channels, wherever they stand."""
        return tuple(
            [channel for channel, owner in enumerate(self.colours) if owner == colour]
            for colour in range(len(self.ends))
        )

    @property
    def by_colour(self) -> list[int]:
        """All channels, those of the first colour first."""
        return [channel for channels in self.members for channel in channels]

    @property
    def in_order(self) -> ChannelGroups:
        """The groups of the channels `by_colour`, which stand in order."""
        return ChannelGroups(tuple(self.colours[channel] for channel in self.by_colour))

    def pieces(self, maps: Tensor) -> list[list[Tensor]]:
        """For each place of `[places, B, channels]` and each colour its features there, where they stand in order."""
        return [[place[:, span] for span in self.spans] for place in maps]

    def repeat(self, times: int) -> ChannelGroups:
        """`times` feature maps of these groups, concatenated along the channels (the halves of a gate)."""
        return ChannelGroups(self.colours * times)


def visible_channels(inputs: ChannelGroups, outputs: ChannelGroups, kind: MaskKind) -> NDArray[np.bool_]:
    """Which connections at the current pixel are allowed.

    Returns:
        Bool `[outputs.channels, inputs.channels]`.
    """
    source = np.array(inputs.colours)[None, :]
    target = np.array(outputs.colours)[:, None]
    allowed: NDArray[np.bool_] = source < target if kind == "A" else source <= target
    return allowed

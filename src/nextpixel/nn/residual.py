"""The residual block of arXiv 1601.06759 (section 3.3, figure 5), around whichever layer a family has at its core.

    x' = conv_{1x1, mask B}(core(x)) + x

The maps x have twice as many channels, 2h, as the maps h that the core gives. Where every layer feeds the head, a
block gives a second set of 2h maps, a 1x1 convolution of the same core, which are added up over the blocks.
"""

from __future__ import annotations

from typing import ClassVar, Generic, NamedTuple, TypeVar

from torch import Tensor, nn

from nextpixel.nn.conditioning import Context
from nextpixel.nn.masked_conv import MaskedConv2d
from nextpixel.nn.masks import ChannelGroups

Core = TypeVar("Core", bound=nn.Module)


class BlockMaps(NamedTuple):
    """What a block hands on.

    Attributes:
        maps: `[B, 2h, H, W]` for the next block.
        skip: `[B, 2h, H, W]` for the head; None in a block without skip.
    """

    maps: Tensor
    skip: Tensor | None


class ResidualBlock(nn.Module, Generic[Core]):
    """A core with the convolution that widens its maps, and the connections around it.

    Args:
        core: from `[B, 2h, H, W]` and the context to `[B, h, H, W]`.
        hidden: colour groups of the h maps.
        maps: colour groups of the 2h maps.
        residual: whether to add the block's input to its output.
        skip: whether to give maps for the head.
        last: the block that only the head follows; with `skip` it gives nothing but its skip.
        gain: see `MaskedConv2d`.
        dropout: probability of zeroing one of the h maps at a pixel in training.
    """

    PARTS: ClassVar = {"dropout": nn.Dropout, "out": MaskedConv2d}

    def __init__(
        self,
        core: Core,
        hidden: ChannelGroups,
        maps: ChannelGroups,
        *,
        residual: bool,
        skip: bool,
        last: bool,
        gain: float,
        dropout: float,
    ) -> None:
        super().__init__()
        self.core = core
        self.hidden, self.maps = hidden, maps
        self.residual, self.skip = residual, skip
        self.goes_on = not (last and skip)
        self.dropout = nn.Dropout(dropout)
        self.out = MaskedConv2d(hidden, maps.repeat(2) if skip and self.goes_on else maps, "B", gain=gain)

    def forward(self, maps: Tensor, context: Context | None = None) -> BlockMaps:
        """Run the block over the whole map, `[B, 2h, H, W]`, given the context of the conditions, if there are any."""
        out = self.out(self.dropout(self.core(maps, context)))
        if not self.goes_on:
            return BlockMaps(maps, skip=out)
        skip = None
        if self.skip:
            out, skip = out.chunk(2, dim=1)
        return BlockMaps(out + maps if self.residual else out, skip)

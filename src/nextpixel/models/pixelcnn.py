"""PixelCNN: van den Oord et al. 2016, *Pixel Recurrent Neural Networks*, arXiv 1601.06759, section 3.5.

The frame of `nextpixel.models.residual_network` around a core of masked convolutions:

    2h maps -> ReLU, 1x1 to h -> ReLU, 3x3 mask B -> ReLU (and the block's own 1x1 back to 2h)

**Its blind spot is part of the paper.** A single stack of masked convolutions cannot turn right within a row, so with
n blocks of reach k a pixel sees, u rows up, at most some k*u columns to the right: the triangle beyond is never seen,
at any depth. (The Gated PixelCNN's two stacks mend that.) `promised_context` promises what the architecture gives, and
`nextpixel.check_causality` tells how much of the past that is.

Deviations from the paper: skip connections and dropout are options; a kernel has no taps below or, in its centre row,
to the right of its centre, instead of zeros there.
"""

from __future__ import annotations

import math

from torch import Tensor, nn

from nextpixel.models.options import odd_size
from nextpixel.models.residual_network import ResidualNetwork
from nextpixel.nn.context import RowReach, raster_context
from nextpixel.nn.masked_conv import MaskedConv2d
from nextpixel.nn.masks import ChannelGroups

# A ReLU halves the mean square of a variable that is symmetrical about zero.
RELU_GAIN = math.sqrt(2)


class PixelCNN(ResidualNetwork):
    """A PixelCNN with masked convolutions.

    Args:
        image_shape: `(C, H, W)`.
        levels: values that a sub-pixel can take, 2 to 256.
        features: maps h of the k x k convolutions, at least one a channel of the image; there are 2h between blocks.
        layers: number of residual blocks, at least 1.
        kernel_size: odd side k of the convolution in a block, at least 3.
        first_kernel_size: odd side of the first convolution.
        head_features: maps between the two convolutions of the head; None for 2h.
        residual: whether a block's input is added to its output.
        skips: whether every block feeds the head, instead of the last alone.
        dropout: probability of zeroing one of the h features in training.

    Raises:
        ModelError: an argument is out of range.
    """

    family = "pixelcnn"

    def __init__(
        self,
        image_shape: tuple[int, int, int],
        levels: int = 256,
        features: int = 32,
        layers: int = 7,
        kernel_size: int = 3,
        first_kernel_size: int = 7,
        head_features: int | None = None,
        residual: bool = True,
        skips: bool = False,
        dropout: float = 0.0,
    ) -> None:
        self.reach = odd_size("kernel_size", kernel_size) // 2
        super().__init__(
            image_shape,
            levels,
            features=features,
            layers=layers,
            first_kernel_size=first_kernel_size,
            head_features=head_features,
            residual=residual,
            skips=skips,
            dropout=dropout,
            own={"kernel_size": kernel_size},
            gain=1.0,
        )

    def _core(self, maps: ChannelGroups, hidden: ChannelGroups) -> nn.Module:
        return nn.Sequential(
            nn.ReLU(),
            MaskedConv2d(maps, hidden, "B", gain=RELU_GAIN),
            nn.ReLU(),
            MaskedConv2d(hidden, hidden, "B", rows_above=self.reach, reach=self.reach, gain=RELU_GAIN),
            nn.ReLU(),
        )

    def promised_context(self) -> Tensor:
        """The past without the blind spot: see the module's docstring."""
        first = self.options["first_kernel_size"] // 2
        k, n = self.reach, self.options["layers"]

        def above(up: int) -> RowReach | None:
            if up > first + k * n:
                return None
            # The blocks move up by 1..k and right by at most k for each such move, of which there are n at most; the
            # first convolution moves up by 1..first and then right by as much as it likes, or left within its row.
            by_first = max(1, up - k * n)
            through_rows = first + k * min(up - by_first, n)
            within_row = k * min(up, n) - 1 if up <= k * n else -1
            return RowReach(left=first + k * n, right=through_rows, inner=within_row)

        return raster_context(self.image_shape, first + k * n, above)

"""PixelCNN++: Salimans et al. 2017, arXiv 1701.05517.

Two streams run beside each other through a network that halves the maps and doubles them again:

    rows     knows, at each place, the rows above its own
    pixels   knows them too, by way of the rows, and the pixels to the left in its own row

    down     at each size some gated residual layers (`nextpixel.nn.shifted`), rows feeding pixels; then half the size
    up       the same in reverse, each layer also seeing what the layer opposite to it gave (the shortcuts)

A coarse place stands over four fine ones and knows what the first of them knows. **Where implementations leak or are
blind**: kernels that halve a map and are centred on the four places see pixels to come; a stream of pixels without that
of rows never turns right, as its kernels have no taps there, and misses most of the rows above; sides that do not
divide by 4 break most implementations, or lose rows to a crop at the wrong end. Here maps are halved at the first of
each two rows and columns, sides are rounded up, and what reaches over the edge is cut off below and on the right, which
is the future of everything else. Tests plant all three.

The head is a logistic mixture by default, as published; `head="softmax"` suits images of few levels.

Deviations from the paper: the colours of a pixel depend on each other through the head (`nextpixel.nn.pixel_head`), not
through the means of the mixture alone, and each colour has its own weights of the mixture; initial weights keep the
deviation of maps instead of being fitted to a batch; images are not given a channel of ones.
"""

from __future__ import annotations

from torch import Tensor

from nextpixel.families.configs import PixelCNNPlusPlusConfig
from nextpixel.families.pixelwise import PixelwiseModel
from nextpixel.families.raster_model import RasterModel
from nextpixel.nn.conditioning import Context
from nextpixel.nn.layers import check_exact
from nextpixel.nn.steps.pixel_head import PixelHeadStep
from nextpixel.nn.steps.stepper import Stepper
from nextpixel.nn.steps.two_streams import TwoStreamsStepper
from nextpixel.nn.two_streams import TwoStreams


class PixelCNNPlusPlus(PixelwiseModel, RasterModel):
    """A PixelCNN++: the arguments of `ImageModel`, the options of `PixelCNNPlusPlusConfig`.

    Images have any height and width. Every layer sees the conditions.
    """

    config_class = PixelCNNPlusPlusConfig
    config: PixelCNNPlusPlusConfig

    def _make_network(self) -> None:
        config = self.config
        self.network = TwoStreams(
            self.image_groups.channels,
            config.features,
            layers=config.layers,
            sizes=config.sizes,
            kernel_size=config.kernel_size,
            dropout=config.dropout,
            context=self.context_sizes,
        )

    def _features(self, maps: Tensor, context: Context | None) -> Tensor:
        features: Tensor = self.network(maps, context, recompute=self.checkpoint_activations)
        return features

    def _stepper(self, batch: int, context: Context | None, width: int) -> Stepper:
        self.check_ends()
        check_exact([("network", self.network)], TwoStreams, "steps")
        return TwoStreamsStepper(self.network, self.image_maps, PixelHeadStep(self.readout, batch), width, context)

    def receptive_field(self) -> Tensor:
        """What the kernels reach: see the module's docstring."""
        return self.of_pixels(self.network.sees(*self.image_shape[1:]))

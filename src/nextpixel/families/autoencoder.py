"""The PixelCNN autoencoder: van den Oord et al. 2016, arXiv 1606.05328, section 2.4 and figure 6.

    h = encoder(x)          convolutions, then d numbers
    p(x | h)                a Gated PixelCNN in which every layer sees h

Both are trained end to end by the likelihood of the image under the decoder. The decoder is strong enough to give
every pixel its sharp value, so the code is free to hold what the image shows rather than its average look.

**`log_prob(images)` encodes the images themselves**: it is the likelihood of a reconstruction, given d numbers that
were computed from the image. It is not a density over images, does not sum to one, and is not to be compared with the
likelihoods of other models. With codes as the condition, `log_prob(images, codes)` is an exact conditional likelihood.

Beside it, `plain` is an ordinary autoencoder with an encoder of the same kind and a deconvolutional decoder, trained by
squared error on the same images at the same time. It shares no weights with the model, and serves to compare.

Deviations from the paper, which does not give the networks: their sizes are ours.
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from nextpixel.errors import ModelError
from nextpixel.families.configs import AutoencoderConfig
from nextpixel.families.gated_pixelcnn import GatedPixelCNN
from nextpixel.nn.conditioning import Upsampling
from nextpixel.nn.conditions import Specification, Values, Vector, named
from nextpixel.nn.initialisation import keep_deviation
from nextpixel.runtime.precision import in_full_float32

SMALLEST_SIDE = 4
"""The encoder halves the image while both sides stay at least so long."""


class Autoencoder(GatedPixelCNN):
    """A Gated PixelCNN whose condition is a code of the image, and the encoder that makes it.

    **`log_prob(images)` is the likelihood of a reconstruction**, given numbers that were computed from the same image.
    It is no density, and not to be compared with the likelihoods of other models; `log_prob(images, codes)` is exact.

    The arguments of `ImageModel`, the options of `AutoencoderConfig`. `condition` is None, or what it is anyway:
    `Vector(code_size)`, the code.
    """

    config_class = AutoencoderConfig
    knows_positions = True
    config: AutoencoderConfig

    def _specification(self, condition: Specification | None) -> Specification:
        code = Vector(self.config.code_size)
        if condition not in (None, code):
            raise ModelError("an autoencoder is conditioned on its own code; leave condition=None")
        return code

    def _make_layers(self) -> None:
        super()._make_layers()
        sizes = self.image_shape, self.config.features, self.config.code_size
        self.encoder = Encoder(*sizes)
        self.plain = PlainAutoencoder(*sizes) if self.config.plain else None

    @in_full_float32
    def encode(self, images: Tensor) -> Tensor:
        """The codes of images, which serve as the condition of all other methods.

        Args:
            images: integers `[B, C, H, W]` in 0..levels-1.

        Returns:
            Float `[B, code_size]`.

        Raises:
            InputError: the images do not fit the model.
        """
        codes: Tensor = self.encoder(self.normalised(self.checked_images(images)))
        return codes

    @in_full_float32
    def reconstruct_plainly(self, images: Tensor) -> Tensor:
        """What the autoencoder that was trained by squared error makes of images.

        Args:
            images: integers `[B, C, H, W]` in 0..levels-1.

        Returns:
            Float `[B, C, H, W]` in 0..levels-1, not rounded.

        Raises:
            ModelError: the model was built with `plain=False`.
            InputError: the images do not fit the model.
        """
        if self.plain is None:
            raise ModelError("this autoencoder was built with plain=False, so there is nothing to compare it with")
        restored = self.plain(self.normalised(self.checked_images(images)))
        scaled: Tensor = (restored.clamp(-1, 1) + 1) * ((self.levels - 1) / 2)
        return scaled

    @property
    def companion(self) -> nn.Module | None:
        """`plain`."""
        return self.plain

    def companion_loss(self, images: Tensor) -> Tensor | None:
        """Mean squared error of `plain`, with pixels in [-1, 1]."""
        if self.plain is None:
            return None
        inputs = self.normalised(self.checked_images(images))
        return F.mse_loss(self.plain(inputs), inputs)

    @property
    def needs_condition(self) -> bool:
        """False: images are their own condition."""
        return False

    @in_full_float32
    def conditions_for(self, images: Tensor, condition: Values | None) -> dict[str, Tensor]:
        """The values of the conditions; without any, the codes of the images themselves."""
        if condition is None:
            return dict.fromkeys(named(self.condition), self.encoder(self.normalised(images)))
        return super().conditions_for(images, condition)

    def fit_condition(self, condition: object) -> None:
        """Nothing: codes come from the encoder, which finds their scale itself."""


class Encoder(nn.Module):
    """Convolutions, halving the image while it is large, then a linear layer: `[B, C, H, W]` to `[B, code_size]`.

    Args:
        image_shape: `(C, H, W)`.
        features: maps of the first convolution; after a halving twice as many.
        code_size: numbers in a code.
    """

    def __init__(self, image_shape: tuple[int, int, int], features: int, code_size: int) -> None:
        super().__init__()
        channels, *size = image_shape
        self.convolutions = nn.ModuleList([nn.Conv2d(channels, features, 3, padding=1)])
        wide = features
        while min(size) >= 2 * SMALLEST_SIDE - 1:
            self.convolutions.append(nn.Conv2d(wide, 2 * features, 3, stride=2, padding=1))
            wide = 2 * features
            size = [-(-side // 2) for side in size]
        self.coarse_shape = (wide, size[0], size[1])
        self.code = nn.Linear(wide * size[0] * size[1], code_size)
        for layer in (*self.convolutions, self.code):
            keep_deviation(layer)

    def forward(self, images: Tensor) -> Tensor:
        """Encode images in [-1, 1]."""
        for layer in self.convolutions:
            images = F.elu(layer(images))
        codes: Tensor = self.code(images.flatten(1))
        return codes


class PlainAutoencoder(nn.Module):
    """An encoder and a deconvolutional decoder: `[B, C, H, W]` to the same.

    Args:
        image_shape: `(C, H, W)`.
        features: see `Encoder`; also the maps of the decoder.
        code_size: numbers in a code.
    """

    def __init__(self, image_shape: tuple[int, int, int], features: int, code_size: int) -> None:
        super().__init__()
        self.encoder = Encoder(image_shape, features, code_size)
        wide, height, width = self.encoder.coarse_shape
        self.spread = nn.Linear(code_size, wide * height * width)
        self.upsampling = Upsampling(wide, features, (height, width), image_shape[1:])
        self.pixels = nn.Conv2d(features, image_shape[0], 3, padding=1)
        for layer in (self.spread, self.pixels):
            keep_deviation(layer)

    def forward(self, images: Tensor) -> Tensor:
        """Restore images in [-1, 1]."""
        maps = F.elu(self.spread(self.encoder(images))).view(-1, *self.encoder.coarse_shape)
        restored: Tensor = self.pixels(self.upsampling(maps))
        return restored

"""Random changes of the pictures that a model trains on, all functions of a generator, and all off by default."""

from __future__ import annotations

import math

import numpy as np
from PIL import Image

from nextpixel.data.source import Pixels

KERNELS = (Image.Resampling.BOX, Image.Resampling.BILINEAR, Image.Resampling.BICUBIC, Image.Resampling.LANCZOS)
MOST_DOWNSCALING = 4.0
"""The largest factor by which `downscale` makes a picture smaller."""

MOST_READ_NOISE = 2.0
"""The largest standard deviation of the noise where a picture is black, in levels of 256."""

MOST_SHOT_NOISE = 0.1
"""The largest variance of the noise that each level of brightness adds."""


def downscaling(generator: np.random.Generator, most: float) -> float:
    """Draw by how much a picture is made smaller: not at all for one crop in four, else by a random factor.

    Args:
        generator: where the draws come from.
        most: the factor at which the picture is as small as the crop, at least 1.

    Returns:
        The factor, from 1 to `most` and `MOST_DOWNSCALING`; its logarithm is uniform.
    """
    keep, part = generator.random(2)
    return 1.0 if keep < 0.25 else math.exp(part * math.log(min(most, MOST_DOWNSCALING)))


def downscale(generator: np.random.Generator, region: Pixels, height: int, width: int) -> Pixels:
    """Resample a region by a random kernel: box, bilinear, bicubic or Lanczos.

    Args:
        generator: where the draw comes from.
        region: uint8 `[C, H, W]`, at least as large as the result.
        height: of the result.
        width: of the result.

    Returns:
        uint8 `[C, height, width]`.
    """
    kernel = KERNELS[generator.integers(len(KERNELS))]
    if region.shape[1:] == (height, width):
        return region
    return np.stack([np.asarray(Image.fromarray(channel).resize((width, height), kernel)) for channel in region])


def add_noise(generator: np.random.Generator, pixels: Pixels) -> Pixels:
    """Add noise as a sensor has it: its variance grows with the brightness. One crop in two stays as it is.

    Args:
        generator: where the draws come from.
        pixels: uint8 `[C, H, W]` of 256 levels.

    Returns:
        uint8 `[C, H, W]`, rounded and kept from 0 to 255.
    """
    without, read, shot = generator.random(3)
    if without < 0.5:
        return pixels
    values = pixels.astype(np.float64)
    # Squared, since most pictures have little noise.
    variance = (MOST_READ_NOISE * read**2) ** 2 + MOST_SHOT_NOISE * shot**2 * values
    noisy = values + np.sqrt(variance) * generator.standard_normal(pixels.shape)
    rounded: Pixels = np.clip(np.rint(noisy), 0, 255).astype(np.uint8)
    return rounded


def flip(generator: np.random.Generator, pixels: Pixels) -> Pixels:
    """Mirror left and right with probability 1/2; `[C, H, W]`."""
    return np.ascontiguousarray(pixels[:, :, ::-1]) if generator.random() < 0.5 else pixels

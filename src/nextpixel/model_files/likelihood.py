"""`Likelihood`: the mean likelihood of a set of images, in exact units."""

from __future__ import annotations

import math
from dataclasses import dataclass

from torch import Tensor

from nextpixel.runtime.html import text


@dataclass(frozen=True)
class Likelihood:
    """Mean negative log-likelihood of a set of images; lower is better.

    Attributes:
        images: number of images.
        nats: mean of `-log_prob`, nats per image.
        nats_standard_error: standard error of that mean over the images; 0 for one image, of which none can be told.
        bits_per_dim: `nats / (C*H*W*ln 2)`.
        bits_per_dim_standard_error: its standard error.
        by_sub_pixel: whether the images have different sizes; the bits are then those of all images together, divided
            by all their sub-pixels, so that a large image counts for more than a small one.
    """

    images: int
    nats: float
    nats_standard_error: float
    bits_per_dim: float
    bits_per_dim_standard_error: float
    by_sub_pixel: bool = False

    def __post_init__(self) -> None:
        """Refuse figures that no images can have.

        Raises:
            ValueError: there are no images, or an error is negative.
        """
        if self.images < 1:
            raise ValueError(f"a likelihood is of at least one image, not of {self.images}")
        if self.nats_standard_error < 0 or self.bits_per_dim_standard_error < 0:
            raise ValueError("a standard error is 0 or more")

    @classmethod
    def of(cls, nats: Tensor, dimensions: int | Tensor) -> Likelihood:
        """Summarise the nats of images.

        Args:
            nats: `[N]`, each `-log_prob`.
            dimensions: sub-pixels of each image; `[N]` where they differ.
        """
        if isinstance(dimensions, Tensor):
            return cls._of_sizes(nats.double(), dimensions.double())
        nats = nats.double()
        error = float(nats.std() / math.sqrt(len(nats))) if len(nats) > 1 else 0.0
        scale = 1 / (dimensions * math.log(2))
        mean = float(nats.mean())
        return cls(len(nats), mean, error, mean * scale, error * scale)

    @classmethod
    def _of_sizes(cls, nats: Tensor, dimensions: Tensor) -> Likelihood:
        """Summarise images of different sizes: a ratio of sums, with the standard error of a ratio."""
        count = len(nats)
        per_dimension = float(nats.sum() / dimensions.sum())
        residuals = nats - per_dimension * dimensions
        spread = float(residuals.square().sum() / (count - 1)) ** 0.5 if count > 1 else 0.0
        error = spread / math.sqrt(count) / float(dimensions.mean())
        nats_error = float(nats.std() / math.sqrt(count)) if count > 1 else 0.0
        scale = 1 / math.log(2)
        return cls(count, float(nats.mean()), nats_error, per_dimension * scale, error * scale, by_sub_pixel=True)

    def __str__(self) -> str:
        if self.images == 1:
            return f"{self.nats:.3f} nats per image, {self.bits_per_dim:.4f} bits/dim, 1 image (too few for an error)"
        if self.by_sub_pixel:
            return (
                f"{self.bits_per_dim:.4f} ± {self.bits_per_dim_standard_error:.4f} bits per sub-pixel, averaged by "
                f"sub-pixel over {self.images:,} images of different sizes"
            )
        return (
            f"{self.nats:.3f} ± {self.nats_standard_error:.3f} nats per image, "
            f"{self.bits_per_dim:.4f} ± {self.bits_per_dim_standard_error:.4f} bits/dim, "
            f"{self.images:,} images"
        )

    def _repr_html_(self) -> str:
        return text(str(self))

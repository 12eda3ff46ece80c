"""`Likelihood`: the mean likelihood of a set of images, in exact units."""

from __future__ import annotations

import math
from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class Likelihood:
    """Mean negative log-likelihood of a set of images; lower is better.

    Attributes:
        images: Number of images.
        nats: Mean of `-log_prob`, nats per image.
        nats_standard_error: Standard error of that mean over the images; 0 for one image.
        bits_per_dim: `nats / (C*H*W*ln 2)`.
        bits_per_dim_standard_error: Its standard error.
    """

    images: int
    nats: float
    nats_standard_error: float
    bits_per_dim: float
    bits_per_dim_standard_error: float

    def __post_init__(self) -> None:
        """Refuse figures that no images can have.

        Raises:
            ValueError: There are no images, or an error is negative.
        """
        if self.images < 1:
            raise ValueError(f"a likelihood is of at least one image, not of {self.images}")
        if self.nats_standard_error < 0 or self.bits_per_dim_standard_error < 0:
            raise ValueError("a standard error is 0 or more")

    @classmethod
    def of(cls, nats: Tensor, dimensions: int) -> Likelihood:
        """Summarise the nats `[N]` (each `-log_prob`) of images with `dimensions` sub-pixels."""
        nats = nats.double()
        error = float(nats.std() / math.sqrt(len(nats))) if len(nats) > 1 else 0.0
        scale = 1 / (dimensions * math.log(2))
        mean = float(nats.mean())
        return cls(len(nats), mean, error, mean * scale, error * scale)

    def __str__(self) -> str:
        return (
            f"{self.nats:.3f} ± {self.nats_standard_error:.3f} nats per image, "
            f"{self.bits_per_dim:.4f} ± {self.bits_per_dim_standard_error:.4f} bits/dim, "
            f"{self.images:,} images"
        )

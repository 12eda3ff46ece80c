"""Two models on the same images, image by image."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from nextpixel.model_files.likelihood import Likelihood
from nextpixel.runtime.html import facts_table
from nextpixel.runtime.progress import Advance
from nextpixel.scoring.images import Images
from nextpixel.scoring.likelihood import dimensions_of, log_probs

if TYPE_CHECKING:
    from nextpixel.families.base import ImageModel

CERTAIN = 1.96
"""Standard errors beyond which a difference is called more than chance, 95 % of the time."""


@dataclass(frozen=True)
class Comparison:
    """How much more one model needs for images than another one.

    Attributes:
        first: likelihood under the first model.
        second: likelihood under the second.
        difference: of the first minus the second, image by image; negative where the first is better.
        first_better: number of images that the first gives more probability.
    """

    first: Likelihood
    second: Likelihood
    difference: Likelihood
    first_better: int

    def told(self, first: str, second: str) -> str:
        """The result in words."""
        difference = self.difference
        size = abs(difference.nats) / difference.nats_standard_error if difference.nats_standard_error else 0.0
        better = (first if difference.nats < 0 else second) if size > CERTAIN else None
        return (
            f"{first}: {self.first}\n{second}: {self.second}\n"
            f"difference, image by image: {difference.nats:+.3f} ± {difference.nats_standard_error:.3f} nats, "
            f"{difference.bits_per_dim:+.4f} ± {difference.bits_per_dim_standard_error:.4f} bits/dim\n"
            + (f"{better} is better" if better else "neither is better beyond chance")
            + f" ({size:.1f} standard errors); "
            f"the first is better on {self.first_better:,} of {difference.images:,} images"
        )

    def _repr_html_(self) -> str:
        return facts_table("Comparison", [("", line) for line in self.told("first", "second").split("\n")])


def compare(
    first: ImageModel,
    second: ImageModel,
    images: Images,
    *,
    advance: Advance | None = None,
) -> Comparison:
    """Compare two models on images that neither was trained on.

    Args:
        first: a model.
        second: another one, of images of the same shape and levels; either may be conditional.
        images: a set, or integers `[N, C, H, W]` as a tensor or an array.
        advance: called with numbers of images done, twice as many in all.

    Raises:
        InputError: the images do not fit one of the models.
    """
    one, two = (-log_probs(model, images, advance=advance) for model in (first, second))
    dimensions = dimensions_of(first, images)
    of_first, of_second, of_difference = (Likelihood.of(nats, dimensions) for nats in (one, two, one - two))
    return Comparison(of_first, of_second, of_difference, int((one < two).sum()))

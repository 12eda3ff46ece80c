"""What generation needs of a model, of whatever family."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from torch import Tensor, nn

from nextpixel.generation.canvas import Canvas
from nextpixel.nn.conditioning import Context
from nextpixel.nn.distributions import Distribution


class GenerativeModel(Protocol):
    """A model from which images can be drawn; `nextpixel.families.base.ImageModel` says more of it.

    Attributes:
        image_shape: `(C, H, W)`.
        levels: values that a sub-pixel can take.
        distribution: that of each sub-pixel, by its parameters.
    """

    image_shape: tuple[int, int, int]
    levels: int
    distribution: Distribution

    @property
    def completes_from_anything(self) -> bool:
        """Whether candidates are of no use."""

    @property
    def order(self) -> Tensor:
        """Rank of each sub-pixel in the order of generation, int64 `[C, H, W]`."""

    @property
    def images_at_once(self) -> int:
        """How many images are drawn together."""

    def parameters(self) -> Iterator[nn.Parameter]:
        """The weights."""

    def modules(self) -> Iterator[nn.Module]:
        """The model and all its parts."""

    def eval(self) -> object:
        """Put the model into evaluation mode."""

    def context_of(self, values: dict[str, Tensor]) -> Context | None:
        """What the layers see of the values of the conditions."""

    def predict(self, images: Tensor, context: Context | None) -> Tensor:
        """The parameters of every sub-pixel's distribution, in one parallel pass over integers `[B, C, H, W]`."""

    def fill(self, canvas: Canvas, context: Context | None) -> None:
        """Draw what is unknown on a canvas."""

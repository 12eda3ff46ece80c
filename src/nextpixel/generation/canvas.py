"""The images of a batch while they are drawn."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from torch import Tensor

from nextpixel.nn.distributions import SamplingParams
from nextpixel.runtime.batching import scaled
from nextpixel.runtime.progress import Advance


@dataclass(frozen=True)
class Canvas:
    """Images of which some sub-pixels are known and the others are to be drawn, in place.

    Attributes:
        images: integers `[B, C, H, W]`, uint8; values at unknown sub-pixels are ignored until they are drawn.
        nats: log-probabilities of the drawn sub-pixels under the model, `[B, C, H, W]`; 0 where known.
        known: bool `[B, C, H, W]`.
        uniforms: float64 `[B, C, H, W]` on [0, 1): what the draws depend on, so that an image does not depend on how
            many are drawn with it.
        sampling: how levels are drawn.
        levels: values that a sub-pixel can take.
        advance: called with numbers of sub-pixels done.
        watch: called whenever a row is done.
    """

    images: Tensor
    nats: Tensor
    known: Tensor
    uniforms: Tensor
    sampling: SamplingParams
    levels: int
    advance: Advance | None
    watch: Callable[[], None] | None = None

    def part(self, images: slice) -> Canvas:
        """Some of the images; what is drawn on them is drawn on this canvas."""
        return self._of(lambda values: values[images])

    def every(self, stride: int) -> Canvas:
        """Every so many rows and columns; what is drawn on them is drawn on this canvas."""
        return self._of(lambda values: values[..., ::stride, ::stride])

    def knowing(self, places: Tensor) -> Canvas:
        """The canvas, on which sub-pixels `[C, H, W]` that were drawn before count as known."""
        return replace(self, known=self.known | places)

    def counting(self, part: int, whole: int) -> Canvas:
        """The canvas, of whose sub-pixels only `part` of `whole` are counted where it is told what is done."""
        return replace(self, advance=scaled(self.advance, part, whole))

    def _of(self, view: Callable[[Tensor], Tensor]) -> Canvas:
        return replace(
            self,
            images=view(self.images),
            nats=view(self.nats),
            known=view(self.known),
            uniforms=view(self.uniforms),
        )

    def normalised(self, values: Tensor) -> Tensor:
        """Integers as the floats in [-1, 1] that the network takes."""
        return values.to(self.nats.dtype).mul_(2 / (self.levels - 1)).sub_(1)

    def row_done(self) -> None:
        """Tell that a row was drawn."""
        if self.watch is not None:
            self.watch()

    def done(self, sub_pixels: int) -> None:
        """Tell how many sub-pixels of each image were done."""
        if self.advance is not None and sub_pixels:
            self.advance(sub_pixels * len(self.images))

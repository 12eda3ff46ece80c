"""What the distribution of one sub-pixel depends on, in a table and in sentences: `nextpixel explain`, and the page."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor

from nextpixel.errors import InputError
from nextpixel.families.base import ImageModel
from nextpixel.rendering.explained import kinds
from nextpixel.runtime.progress import Advance
from nextpixel.verify import Site, observed_receptive_field


@dataclass(frozen=True)
class Dependence:
    """What a sub-pixel sees.

    Attributes:
        family: of the model.
        site: the sub-pixel.
        seen: bool `[C, H, W]`, what its distribution depends on, by gradients.
        before: bool `[C, H, W]`, what is drawn before it.
        promised: bool `[C, H, W]`, what the architecture lets it see.
    """

    family: str
    site: Site
    seen: Tensor
    before: Tensor
    promised: Tensor

    @property
    def kinds(self) -> Tensor:
        """What each pixel is to it, int64 `[H, W]`; see `nextpixel.rendering.explained`."""
        return kinds(self.seen, self.before, self.site.row, self.site.column)

    @property
    def title(self) -> str:
        """The result in a line."""
        return f"{self.family}: {int(self.seen.sum()):,} of {int(self.before.sum()):,} earlier sub-pixels are seen"

    @property
    def sentences(self) -> list[str]:
        """What there is to say, the last one where the model is not what it should be."""
        count, unseen = int(self.before.sum()), self.before & ~self.seen
        sentences = [
            f"{self.family}: sub-pixel (channel {self.site.channel}, row {self.site.row}, column {self.site.column}) "
            f"is drawn as number {count + 1:,} of {self.before.numel():,}",
            f"its distribution depends on {int((self.seen & self.before).sum()):,} of the {count:,} before it, by "
            "gradients",
        ]
        if bool(unseen.any()):
            beyond, others = int((unseen & ~self.promised).sum()), int(unseen.sum())
            which = f"{beyond:,} of the other {others:,}" if beyond < others else f"the other {others:,}"
            sentences.append(f"{which} {'is' if beyond == 1 else 'are'} out of the architecture's reach")
        if bool((self.seen & ~self.before).any()) or bool((self.promised & ~self.seen).any()):
            sentences.append("that is not what the architecture promises: run nextpixel check")
        return sentences


def dependence_of(
    model: ImageModel,
    site: Site,
    *,
    advance: Advance | None = None,
    watch: Callable[[Tensor], None] | None = None,
) -> Dependence:
    """Find what a sub-pixel sees.

    Args:
        model: any model, trained or not.
        site: the sub-pixel.
        advance: called with numbers of images done, `nextpixel.verify.SECOND_LOOKS` in all.
        watch: called after each image with what each pixel seems to be so far, as `Dependence.kinds`.

    Raises:
        InputError: the images have no such sub-pixel.
    """
    channels, height, width = model.image_shape
    channel, row, column = site
    if not (0 <= channel < channels and 0 <= row < height and 0 <= column < width):
        raise InputError(
            f"there is no sub-pixel of channel {channel} at row {row}, column {column}: the images of this model have "
            f"{channels} channel{'s' if channels > 1 else ''}, {height} rows and {width} columns, counted from 0"
        )
    order = model.order
    before = order < order[channel, row, column]
    promised = model.receptive_field()[(channel * height + row) * width + column].view(model.image_shape)

    def look(seen: Tensor) -> None:
        if watch is not None:
            watch(kinds(seen, before, row, column))

    seen = observed_receptive_field(model, site, advance=advance, watch=look)
    return Dependence(model.family, site, seen, before, promised)

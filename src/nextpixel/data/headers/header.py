"""What the header of a picture file says."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

Alpha = Literal["none", "straight", "premultiplied", "transparent colour"]
Numbers = Literal["unsigned", "signed", "floating-point", "complex"]
UPRIGHT = "turned upright as {their} EXIF orientation says"


@dataclass(frozen=True)
class PictureHeader:
    """What the header of a picture file says.

    Attributes:
        format: name of the format, as Pillow calls it.
        samples: samples a pixel, alpha and other bands included; 1 where they are places in a palette.
        bits: bits of a sample, 1 and up; of a palette those of its colours.
        levels: values that a sample can have, 2 and up: 2 to the power of `bits`, or netpbm's maxval + 1.
        numbers: what kind of numbers samples are.
        palette: whether pixels are places in a palette.
        alpha: what is said of transparency.
        transparent: the grey level or the colour that is transparent, in the file's own integers; else None.
        planar: whether every sample has a plane of its own.
        pictures: how many pictures, frames or pages of equal standing the file holds.
        page: the place of the picture proper among all that the file holds.
        companions: what else it holds that belongs to the one picture, such as "2 smaller versions".
        white_is_zero: whether the largest integer stands for black.
        extra: samples beyond grey or RGB that are no alpha.
        turned: whether the picture is to be turned upright, as far as this header says; EXIF may say so too.
        index_bits: bits of a place in a palette, where that matters.
        start: where the pixels begin, in bytes, where that matters.
    """

    format: str
    samples: int
    bits: int
    levels: int
    numbers: Numbers = "unsigned"
    palette: bool = False
    alpha: Alpha = "none"
    transparent: tuple[int, ...] | None = None
    planar: bool = False
    pictures: int = 1
    page: int = 0
    companions: tuple[str, ...] = ()
    white_is_zero: bool = False
    extra: int = 0
    turned: bool = False
    index_bits: int = 8
    start: int = 0

    @property
    def deep(self) -> bool:
        """Whether a sample has more levels than eight bits hold."""
        return self.levels > 256

    @property
    def shallow(self) -> bool:
        """Whether samples have fewer levels than 256, which are then spread over 0..255."""
        return self.levels < 256 and not self.palette

    @cached_property
    def remarks(self) -> tuple[str, ...]:
        """What is to be said of the picture once it is read, as `nextpixel.data.source.Picture` has it."""
        remarks = []
        if self.deep:
            remarks.append(f"reduced from {self.bits} bits a channel to the highest 8")
        elif self.shallow:
            remarks.append(
                f"of {self.levels} levels spread over 0..255; --levels {self.levels} (levels={self.levels}) gives"
                " {their} own integers"
            )
        if self.extra:
            remarks.append(f"read as {{their}} {self.samples} bands, of which the last is not called alpha")
        if self.alpha == "premultiplied":
            remarks.append("kept with {their} colours premultiplied by alpha")
        if self.white_is_zero:
            remarks.append("with 0 for white, as {their} header says, turned to 0 for black")
        if self.companions:
            remarks.append(f"read without {' and '.join(self.companions)} in {{their}} file")
        return tuple(remarks)

"""TIFF files whose samples Pillow does not give as they are stored, read by tifffile."""

from __future__ import annotations

import io
import logging
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from nextpixel.data.entries import Unusable
from nextpixel.data.headers.header import UPRIGHT, PictureHeader
from nextpixel.data.level_table import highest_eight_bits, level_table
from nextpixel.data.source import MAX_IMAGE_BYTES, Picture

if TYPE_CHECKING:
    from tifffile import TiffPage

ORIENTATION = 274

# What it logs of damaged files would be lines on the terminal, beside the sentence of why a file is left out; whoever
# sets up logging still hears of it.
logging.getLogger("tifffile").addHandler(logging.NullHandler())


def decode_tiff(name: str, data: bytes, header: PictureHeader) -> Picture:
    """Read the samples of a TIFF file as they are stored.

    Args:
        name: the name of the file.
        data: its content.
        header: what its header says: unsigned integers of 1 to 16 bits, up to 4 bands.

    Returns:
        The picture, upright; of more than eight bits the highest eight.

    Raises:
        Unusable: tifffile is not installed or cannot read the file.
    """
    try:
        import tifffile
    except ImportError:
        raise Unusable(f"{_what(header)}, which needs pip install 'nextpixel[tiff]'") from None
    try:
        with tifffile.TiffFile(io.BytesIO(data)) as file:
            page = file.pages[header.page]
            assert isinstance(page, tifffile.TiffPage)
            if page.imagelength * page.imagewidth * 4 > MAX_IMAGE_BYTES:
                raise Unusable(f"is {page.imagelength}x{page.imagewidth} pixels large, more than are read")
            samples = _channels_first(page)
            orientation = int(page.tags.valueof(ORIENTATION, 1))
    except Unusable:
        raise
    except Exception as error:
        # tifffile and the codecs it calls raise whatever their authors thought of.
        raise Unusable(f"cannot be decoded ({' '.join(str(error).split())[:120]})") from error
    if samples.dtype not in (np.uint8, np.uint16) or len(samples) != header.samples:
        raise Unusable("cannot be decoded (its samples are not those of its header)")
    if samples.max() >= header.levels:
        raise Unusable("cannot be decoded (it holds values above those of its bits)")
    table = highest_eight_bits(header.levels) if header.deep else level_table(header.levels)
    pixels = (table[::-1] if header.white_is_zero else table)[samples]
    remarks = []
    if orientation in range(2, 9):
        pixels = _upright(pixels, orientation)
        remarks.append(UPRIGHT)
    return Picture(name, np.ascontiguousarray(pixels), (*remarks, *header.remarks), header.bits)


def _what(header: PictureHeader) -> str:
    """What is unusual about a file."""
    if header.deep:
        return f"has {header.bits} bits a channel"
    if header.extra:
        return f"has {header.samples} bands, {header.extra} of which are neither colour nor alpha"
    return "has colours premultiplied by alpha" if header.alpha == "premultiplied" else "has a plane for each channel"


def _channels_first(page: TiffPage) -> NDArray[np.generic]:
    """The samples of a page, `[C, H, W]`."""
    samples = np.asarray(page.asarray())
    if samples.ndim == 2:
        return samples[None]
    if samples.ndim != 3:
        raise Unusable("holds a volume of several slices, and only single images can be used")
    return samples.transpose(2, 0, 1) if page.axes.endswith("S") else samples


def _upright(pixels: NDArray[np.uint8], orientation: int) -> NDArray[np.uint8]:
    """Turn `[C, H, W]` as EXIF's orientation 2 to 8 says."""
    if orientation >= 5:
        pixels = pixels.transpose(0, 2, 1)
    down = orientation in (3, 4, 7, 8)
    right = orientation in (2, 3, 6, 7)
    return pixels[:, :: -1 if down else 1, :: -1 if right else 1]

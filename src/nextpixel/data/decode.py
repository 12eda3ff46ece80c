"""From the bytes of an image file to its integers, without loss or not at all."""

from __future__ import annotations

import io
import re
import struct
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from nextpixel.data.entries import Unusable
from nextpixel.data.source import MAX_IMAGE_BYTES, Picture, Pixels

FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "GIF", "TIFF", "PPM")
"""Pillow's readers that may be used; the others (some start other programs) never see a file."""

PILLOW_ERRORS = (
    OSError,
    SyntaxError,
    ValueError,
    TypeError,
    AttributeError,
    ArithmeticError,
    AssertionError,
    LookupError,
    EOFError,
    MemoryError,
    RuntimeError,
    struct.error,
    zlib.error,
    Image.DecompressionBombError,
    Image.DecompressionBombWarning,
)
"""Everything Pillow's readers have been seen to raise on damaged files."""

PALETTE_MODES = frozenset({"P", "PA"})
PLAIN_MODES = {"L": 1, "LA": 2, "RGB": 3, "RGBA": 4}
MODE_OF_CHANNELS = {channels: mode for mode, channels in PLAIN_MODES.items()}
WITH_ALPHA = {"1": "LA", "L": "LA", "RGB": "RGBA"}
UPRIGHT = "turned upright as {their} EXIF orientation says"
ORIENTATION_TAG = 0x0112
DEEP_RAW_MODE = re.compile(r";(12|16|32)[BLNFS]")


def decode(name: str, data: bytes) -> Picture:
    """Decodes one image file.

    Args:
        name: Its name, which the picture keeps.
        data: Its content.

    Returns:
        The picture, upright, with 1 (grey), 2 (grey, alpha), 3 (RGB) or 4 (RGBA) channels.

    Raises:
        Unusable: If it is damaged, too large, animated, or of a kind that eight-bit integers cannot hold.
    """
    with _pillow_errors(), Image.open(io.BytesIO(data), formats=FORMATS) as image:
        return _picture(name, image)


def from_pillow(image: Image.Image) -> Picture:
    """Takes an image that Pillow has opened already, under the same conditions as a file.

    Raises:
        Unusable: As `decode` does.
    """
    with _pillow_errors():
        return _picture(None, image)


@contextmanager
def _pillow_errors() -> Iterator[None]:
    """Turns whatever Pillow raises on damaged files into `Unusable`."""
    with warnings.catch_warnings():
        # Pillow warns about oddities in a file; whoever reads thousands cannot act on it. Only its
        # warning about the size is taken seriously, and becomes the reason to leave the file out.
        warnings.simplefilter("ignore")
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        try:
            yield
        except UnidentifiedImageError:
            raise Unusable("is not an image file that can be recognised") from None
        except PILLOW_ERRORS as error:
            raise Unusable(f"cannot be decoded ({_one_line(error)})") from error


def to_image(pixels: Pixels) -> Image.Image:
    """Makes a Pillow image of uint8 ``[C, H, W]`` with 1 to 4 channels."""
    if len(pixels) == 1:
        return Image.fromarray(np.ascontiguousarray(pixels[0]))
    return Image.fromarray(np.ascontiguousarray(pixels.transpose(1, 2, 0)))


def to_pixels(image: Image.Image) -> Pixels:
    """Makes uint8 ``[C, H, W]`` of a Pillow image of mode L, LA, RGB or RGBA."""
    values = np.asarray(image, dtype=np.uint8)
    return values[None] if values.ndim == 2 else np.ascontiguousarray(values.transpose(2, 0, 1))


def _check_kind(image: Image.Image) -> None:
    """Raises `Unusable` for what the header already rules out."""
    width, height = image.size
    if width < 1 or height < 1:
        raise Unusable(f"has the empty size {height}x{width}")
    if width * height * 4 > MAX_IMAGE_BYTES:
        raise Unusable(f"is {height}x{width} pixels large, more than the {MAX_IMAGE_BYTES // 4} that are read")
    # A JPEG from a phone may carry further pictures (a depth map, a preview); its first one is the photograph.
    if getattr(image, "is_animated", False) and image.format != "MPO":
        raise Unusable("holds several frames, and only single images can be used")
    if image.mode not in PLAIN_MODES and image.mode not in PALETTE_MODES and image.mode != "1":
        raise Unusable(f"has mode {image.mode}, which eight-bit grey or RGB cannot hold without loss")
    # Pillow opens 48-bit colour as mode RGB and drops the low bytes; only the raw mode tells.
    for tile in getattr(image, "tile", ()):
        arguments = tile[3] if isinstance(tile[3], tuple) else (tile[3],)
        if any(isinstance(value, str) and DEEP_RAW_MODE.search(value) for value in arguments):
            raise Unusable("has more than 8 bits a channel, which would lose its low bits")
        if image.format == "PPM" and any(isinstance(value, int) and value > 255 for value in arguments[1:2]):
            raise Unusable("has more than 8 bits a channel, which would lose its low bits")


def _picture(name: str | None, image: Image.Image) -> Picture:
    """Checks the kind of an image and reads its pixels."""
    _check_kind(image)
    # Pillow turns TIFF files upright while loading and forgets the tag, so it must be asked before.
    turned = image.format == "TIFF" and _orientation(image) != 1
    image.load()
    remarks = []
    if image.format == "MPO":
        remarks.append("taken as the first picture of {their} multi-picture JPEG")
    plain = image
    if image.has_transparency_data and image.mode in WITH_ALPHA:
        plain = image.convert(WITH_ALPHA[image.mode])
        remarks.append(f"given an alpha channel ({plain.mode}) for {{their}} transparent colour")
    elif image.mode in PALETTE_MODES:
        plain = image.convert("RGBA" if image.has_transparency_data else "RGB")
        remarks.append(f"converted exactly from a palette to {plain.mode}")
    elif image.mode == "1":
        plain = image.convert("L")
    if _orientation(image) != 1:
        plain = ImageOps.exif_transpose(plain)
        turned = True
    if turned:
        remarks.append(UPRIGHT)
    return Picture(name, to_pixels(plain), tuple(remarks))


def _orientation(image: Image.Image) -> int:
    """The EXIF orientation, 1 where there is none or it cannot be read."""
    try:
        value = image.getexif().get(ORIENTATION_TAG, 1)
    except PILLOW_ERRORS:
        return 1
    return value if isinstance(value, int) and 2 <= value <= 8 else 1


def _one_line(error: BaseException) -> str:
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= 120 else text[:117] + "..."

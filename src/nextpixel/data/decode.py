"""From the bytes of an image file to its integers, without loss or not at all.

Files of fewer than 256 levels (PNG and TIFF of 1 to 4 bits, netpbm of a smaller maxval, BMP of 16 bits) are spread
over 0..255 by one rule, `nextpixel.data.level_table.level_table`, whatever the format; a remark says so, and `levels`
(`--levels`) of the same number gives back the file's own integers.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from importlib import import_module

import numpy as np
from PIL import Image, ImageFile, ImageOps, UnidentifiedImageError

from nextpixel.data.decode_tiff import decode_tiff
from nextpixel.data.entries import Unusable
from nextpixel.data.headers.header import UPRIGHT, PictureHeader
from nextpixel.data.headers.png_rows import has_all_rows
from nextpixel.data.headers.reading import read_header
from nextpixel.data.level_table import highest_eight_bits, level_table
from nextpixel.data.pillow_errors import PILLOW_ERRORS
from nextpixel.data.source import MAX_IMAGE_BYTES, Picture, Pixels

PALETTE_MODES = frozenset({"P", "PA"})
PLAIN_MODES = {"L": 1, "LA": 2, "RGB": 3, "RGBA": 4}
MODE_OF_CHANNELS = {channels: mode for mode, channels in PLAIN_MODES.items()}
DEEP_GREY_MODES = frozenset({"I", "I;16", "I;16B", "I;16L"})
ORIENTATION_TAG = 0x0112
PLUGINS = {"JXL": ("pillow_jxl", "jxl"), "HEIF": ("pillow_heif", "heic")}
"""Formats that Pillow reads by a plugin, and the extra that brings it."""

UNKNOWN_WHEN_LOADED = frozenset({"PNG", "TIFF", "PPM", "AVIF", "HEIF", "JXL", "BMP", "TGA"})
"""Formats of which an image in memory does not tell how many bits its file had."""


def decode(name: str, data: bytes, *, deep: bool = False, most_pixels: int | None = None) -> Picture:
    """Decode one image file.

    Args:
        name: its name, which the picture keeps.
        data: its content.
        deep: whether files of more than eight bits a channel may be reduced to their highest eight.
        most_pixels: refuse a picture of more pixels by its header, before memory is taken for it.

    Returns:
        The picture, upright, with 1 (grey), 2 (grey, alpha), 3 (RGB) or 4 (RGBA) channels.

    Raises:
        Unusable: it is damaged, too large, animated, or of a kind that eight-bit integers cannot hold.
    """
    header = read_header(name, data)
    _check_header(header, deep)
    with _pillow_errors():
        if most_pixels is not None:
            with Image.open(io.BytesIO(data), formats=(header.format,)) as image:
                if image.width * image.height > most_pixels:
                    raise Unusable(f"has more than {most_pixels:,} pixels")
        if header.format == "TIFF" and not _pillow_is_exact(header):
            return decode_tiff(name, data, header)
        if header.format == "PPM" and header.deep:
            return _deep_netpbm(name, data, header)
        if header.format in PLUGINS:
            _load_plugin(header.format)
        with Image.open(io.BytesIO(data), formats=(header.format,)) as image:
            picture = _picture(name, image, header)
            if header.format == "PNG" and _ends_black(image) and not has_all_rows(data):
                raise Unusable("cannot be decoded (its compressed pixels end early)")
            return picture


def from_pillow(image: Image.Image, *, deep: bool = False) -> Picture:
    """Take an image that Pillow has opened already, under the same conditions as a file.

    Raises:
        Unusable: as `decode` does; or the image was loaded already, and its file, which alone could tell whether it
            had more or fewer than eight bits a channel, cannot be had.
    """
    data = _file_of(image)
    if data is not None:
        return replace(decode(getattr(image, "filename", "") or "", data, deep=deep), name=None)
    if image.format in UNKNOWN_WHEN_LOADED and image.mode != "P":
        raise Unusable(
            f"was loaded from {image.format} before, so that nothing tells how many bits its file had: give images as"
            " Image.open returns them, or arrays of uint8"
        )
    with _pillow_errors():
        image.load()
        channels = len(image.getbands())
        return _picture(None, image, PictureHeader(image.format or "", channels, 8, 256))


def _file_of(image: Image.Image) -> bytes | None:
    """The content of the file of an image, where it was not loaded yet or its file still lies where it was."""
    if not isinstance(image, ImageFile.ImageFile):
        return None
    try:
        if image.fp is not None and image.tile:
            image.fp.seek(0)
            return image.fp.read()
        if image.filename:
            with open(image.filename, "rb") as file:  # noqa: PTH123 - may be bytes
                return file.read()
    except (OSError, ValueError, TypeError):
        return None
    return None


@contextmanager
def _pillow_errors() -> Iterator[None]:
    """Turn whatever Pillow raises on damaged files into `Unusable`."""
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
    """Make a Pillow image of uint8 `[C, H, W]` with 1 to 4 channels."""
    if len(pixels) == 1:
        return Image.fromarray(np.ascontiguousarray(pixels[0]))
    return Image.fromarray(np.ascontiguousarray(pixels.transpose(1, 2, 0)))


def to_pixels(image: Image.Image) -> Pixels:
    """Make uint8 `[C, H, W]` of a Pillow image of mode L, LA, RGB or RGBA."""
    values = np.asarray(image, dtype=np.uint8)
    return values[None] if values.ndim == 2 else np.ascontiguousarray(values.transpose(2, 0, 1))


def _check_header(header: PictureHeader, deep: bool) -> None:
    """Raise `Unusable` for what the header already rules out."""
    if header.pictures > 1:
        raise Unusable("holds several frames, and only single images can be used")
    if header.numbers != "unsigned":
        raise Unusable(f"holds {header.numbers} numbers, which 0..255 are not: scale them and save as PNG")
    if header.bits > 16:
        raise Unusable(f"has {header.bits} bits a channel, which are no grey levels: scale them and save as PNG")
    if header.samples > 4:
        raise Unusable(f"has {header.samples} bands, and images have 4 at most: choose some of them")
    if header.deep and not deep:
        raise TooDeep(header.bits)
    if header.format in PLUGINS and header.extra:
        raise Unusable(f"has {header.extra} channels beyond its colours: decode it with djxl")
    if header.format in ("AVIF", "HEIF") and header.alpha == "premultiplied":
        raise Unusable("has colours premultiplied by alpha, which are not read exactly: save it as PNG")


class TooDeep(Unusable):
    """A file of more than eight bits a channel where that was not allowed.

    Args:
        bits: of a channel.
    """

    def __init__(self, bits: int) -> None:
        super().__init__(too_deep(bits))
        self.bits = bits


def too_deep(bits: int) -> str:
    """Why a file of more than eight bits a channel is left out."""
    return (
        f"has {bits} bits a channel and would lose its low bits: to use the highest 8, ask for --depth 8 (depth=8) or"
        " for --levels"
    )


def _pillow_is_exact(header: PictureHeader) -> bool:
    """Whether Pillow gives the samples of a TIFF file as they are stored."""
    plain = not header.deep and not header.extra and header.alpha != "premultiplied" and not header.planar
    return plain and (header.bits == 8 or header.samples == 1)


def _load_plugin(form: str) -> None:
    module, extra = PLUGINS[form]
    try:
        plugin = import_module(module)
    except ImportError:
        raise Unusable(f"is a {form} file, which needs pip install 'nextpixel[{extra}]'") from None
    if form == "HEIF":
        plugin.register_heif_opener()


def _check_size(width: int, height: int) -> None:
    if width < 1 or height < 1:
        raise Unusable(f"has the empty size {height}x{width}")
    if width * height * 4 > MAX_IMAGE_BYTES:
        raise Unusable(f"is {height}x{width} pixels large, more than the {MAX_IMAGE_BYTES // 4} that are read")


def _check_kind(image: Image.Image, header: PictureHeader) -> None:
    """Raise `Unusable` for what Pillow cannot hand on."""
    _check_size(*image.size)
    # A JPEG from a phone may carry further pictures (a depth map, a preview); its first one is the photograph. The
    # pages of TIFF and the pictures of HEIF have been counted.
    if getattr(image, "is_animated", False) and image.format not in ("MPO", "TIFF", "HEIF"):
        raise Unusable("holds several frames, and only single images can be used")
    # Pillow takes a palette of the greys 0, 1, 2, ... for none, and then places of 4 bits for whole bytes.
    taken_for_greys = header.format == "BMP" and header.palette and image.mode != "P"
    if taken_for_greys and header.index_bits != {"1": 1, "L": 8}[image.mode]:
        raise Unusable(f"has a palette of greys and {header.index_bits} bits a pixel: save it as PNG")
    usable = image.mode in PLAIN_MODES or image.mode in PALETTE_MODES or image.mode == "1"
    if not usable and not (header.deep and image.mode in DEEP_GREY_MODES):
        raise Unusable(f"has mode {image.mode}, which eight-bit grey or RGB cannot hold without loss")


def _picture(name: str | None, image: Image.Image, header: PictureHeader) -> Picture:
    """Check the kind of an image and read its pixels."""
    if header.page:
        image.seek(header.page)
    _check_kind(image, header)
    # Pillow turns TIFF files upright while loading and forgets the tag, so it must be asked before.
    turned = header.turned or (header.format == "TIFF" and _orientation(image) != 1)
    image.load()
    remarks = []
    if image.format == "MPO":
        remarks.append("taken as the first picture of {their} multi-picture JPEG")
    if image.mode in PALETTE_MODES:
        plain = image.convert("RGBA" if image.has_transparency_data else "RGB")
        remarks.append(f"converted exactly from a palette to {plain.mode}")
    elif header.deep and image.mode in DEEP_GREY_MODES:
        values = np.asarray(image)
        if values.min() < 0 or values.max() >= header.levels:
            raise Unusable("cannot be decoded (it holds values above those of its bits)")
        plain = Image.fromarray(highest_eight_bits(header.levels)[values])
    else:
        plain = image.convert("L") if image.mode == "1" else image
        if header.format == "PNG" and header.samples == 2 and plain.mode == "RGBA":
            # Grey and alpha of 16 bits.
            plain = Image.merge("LA", (plain.getchannel(0), plain.getchannel(3)))
    if header.transparent is not None:
        plain = _with_alpha(plain, header)
        remarks.append(f"given an alpha channel ({plain.mode}) for {{their}} transparent colour")
    elif plain.mode in ("L", "RGB") and header.format != "PNG" and image.has_transparency_data:
        plain = plain.convert({"L": "LA", "RGB": "RGBA"}[plain.mode])
        remarks.append(f"given an alpha channel ({plain.mode}) for {{their}} transparent colour")
    # The plugin of JPEG XL turns pictures by their header, beside which EXIF has no say.
    if header.format not in ("JXL", "HEIF") and not _is_upright(image):
        plain = ImageOps.exif_transpose(plain)
        turned = True
    if turned:
        remarks.append(UPRIGHT)
    pixels = to_pixels(plain)
    if header.shallow:
        pixels = _spread(pixels, header.levels)
    return Picture(name, pixels, (*remarks, *header.remarks), header.bits)


def _ends_black(image: Image.Image) -> bool:
    """Whether the last row of a loaded image is all zeros, as those are that Pillow was given no pixels for."""
    pixel = image.getpixel((image.width - 1, image.height - 1))
    # Most pictures end here, and need no second look.
    if any(pixel) if isinstance(pixel, tuple) else pixel:
        return False
    last = (0, image.height - 1, image.width, image.height)
    return image.crop(last).getbbox(alpha_only=False) is None


def _spread(pixels: Pixels, levels: int) -> Pixels:
    """Spread the integers of a file of fewer levels than 256, which Pillow has stretched over 0..255 in its own way."""
    own_integers = np.rint(pixels * ((levels - 1) / 255)).astype(np.uint8)
    spread: Pixels = level_table(levels)[own_integers]
    return spread


def _with_alpha(plain: Image.Image, header: PictureHeader) -> Image.Image:
    """Add alpha that is 0 where a pixel has the transparent colour of its file, and 255 elsewhere."""
    pixels = to_pixels(plain)
    assert header.transparent is not None
    if header.deep:
        raise Unusable("has 16 bits a channel and a transparent colour, which 8 bits do not tell: save it with alpha")
    # Pillow spreads the levels of PNG by a whole factor.
    colour = np.array(header.transparent, np.uint8) * np.uint8(255 // (header.levels - 1))
    alpha = np.where((pixels == colour[:, None, None]).all(axis=0), np.uint8(0), np.uint8(255))
    return to_image(np.concatenate([pixels, alpha[None]]))


def _deep_netpbm(name: str, data: bytes, header: PictureHeader) -> Picture:
    """Read binary netpbm of more than eight bits, which Pillow would round."""
    with Image.open(io.BytesIO(data), formats=("PPM",)) as image:
        _check_size(*image.size)
        width, height = image.size
    if data[1:2] in b"23":
        raise Unusable("is plain text of more than 8 bits a channel: convert it with pnmtopng")
    count = width * height * header.samples
    values = np.frombuffer(data, ">u2", count, header.start)
    if values.max() >= header.levels:
        raise Unusable(f"holds a value above its maximum of {header.levels - 1}")
    pixels = highest_eight_bits(header.levels)[values].reshape(height, width, header.samples)
    return Picture(name, np.ascontiguousarray(pixels.transpose(2, 0, 1)), header.remarks, header.bits)


def _is_upright(image: Image.Image) -> bool:
    """Whether a picture that was loaded need not be turned; most PNG files say nothing of it."""
    return (image.format == "PNG" and not image.info) or _orientation(image) == 1


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

"""Images that a model does badly on, such as screenshots and drawings, as the bytes of a picture file.

Of PNG, WebP and the deflated pixels the shortest is taken, all without loss, and only if it decodes to the same pixels.
Images of fewer than 256 levels are deflated, as their integers are no greys. Where the file that a picture came from is
at hand and shorter still, its bytes are kept as they are.
"""

from __future__ import annotations

import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from nextpixel.codec.container import DEFLATE, FILE, PNG, WEBP, Shape, deflate, inflate_pixels
from nextpixel.data.picture_limits import MOST_WEBP_SIDE
from nextpixel.data.pillow_errors import PILLOW_ERRORS
from nextpixel.errors import DataError

Pixels = NDArray[np.uint8]

MODES = {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}
WEBP_MODES = {1: {"RGB"}, 2: set[str](), 3: {"RGB"}, 4: {"RGB", "RGBA"}}
FORMATS = {PNG: "PNG", WEBP: "WEBP"}

WORTH_A_CLOSER_LOOK = 1.15
"""A quick WebP up to so many times as large as what the model takes may be the shorter one with more effort."""


def shorter(
    picture: Pixels, levels: int, size: float, original: bytes | None = None, *, quick: int | None = None
) -> tuple[int, bytes] | None:
    """How a picture is stored in less than `size` bytes without a model, and its bytes; None if it cannot be.

    Args:
        picture: uint8 `[C, H, W]`, in 0..levels-1.
        levels: of the model.
        size: in bytes.
        original: the file that the picture was read from, if its bytes may be kept.
        quick: its `quick_size` where that is known already.
    """
    quick = quick_size(picture, levels) if quick is None else quick
    way = None
    if quick is None or quick <= WORTH_A_CLOSER_LOOK * size:
        way = stored(picture, levels)
        size, way = min((len(way[1]) + 2, way), (size, None), key=lambda choice: choice[0])
    return (FILE, original) if original is not None and len(original) + 2 < size else way


def quick_size(picture: Pixels, levels: int) -> int | None:
    """Bytes that WebP takes in a hurry; None where it cannot hold the picture, or where its integers are no greys."""
    if levels < 256 or picture.shape[0] == 2 or max(picture.shape[1:]) > MOST_WEBP_SIDE:
        return None
    return len(_webp(picture, quality=20, method=0))


def stored(picture: Pixels, levels: int) -> tuple[int, bytes]:
    """A picture, uint8 `[C, H, W]`, without a model: how it is stored, and its bytes."""
    ways = [(DEFLATE, deflate(picture.tobytes()))]
    if levels < 256:
        return ways[0]
    ways.append((PNG, _png(picture)))
    if picture.shape[0] != 2 and max(picture.shape[1:]) <= MOST_WEBP_SIDE:
        ways.append((WEBP, _webp(picture, quality=100, method=6)))
    shortest = sorted(ways, key=lambda way: len(way[1]))
    return next(way for way in shortest if np.array_equal(restored(*way, _shape(picture), levels), picture))


def restored(kind: int, data: bytes, shape: Shape, levels: int) -> Pixels:
    """The pixels of a stored image, uint8 of its shape, in 0..levels-1.

    Raises:
        DataError: they are damaged, not of that shape, or of other values.
    """
    pixels = _restored_pixels(kind, data, shape)
    if int(pixels.max()) >= levels:
        raise DataError(f"a stored image of the file has values above {levels - 1}: it is damaged")
    return pixels


def _restored_pixels(kind: int, data: bytes, shape: Shape) -> Pixels:
    if kind == DEFLATE:
        return np.frombuffer(inflate_pixels(data, shape), np.uint8).reshape(shape)
    channels, height, width = shape
    try:
        with Image.open(io.BytesIO(data), formats=[FORMATS[kind]]) as image:
            # Looked at before the pixels are decoded, so that no more memory is taken than the shape says.
            if image.size != (width, height):
                raise DataError("a stored image of the file has another size than the file says: it is damaged")
            # WebP knows no grey, and Pillow gives no alpha where all of it is full.
            modes = {MODES[channels]} if kind == PNG else WEBP_MODES[channels]
            if image.mode not in modes:
                raise DataError(
                    f"a stored image of the file has mode {image.mode}, not that of {channels} channels: it is damaged"
                )
            pixels = np.asarray(image)
            if channels == 1 and pixels.ndim == 3:
                if (pixels != pixels[:, :, :1]).any():
                    raise DataError("a stored image of the file has colours, and is grey by the file: it is damaged")
                pixels = pixels[:, :, 0]
            elif channels == 4:
                pixels = np.asarray(image.convert("RGBA"))
    except PILLOW_ERRORS as error:
        raise DataError(f"a stored image of the file cannot be decoded ({error}): it is damaged") from error
    return np.ascontiguousarray(pixels.reshape(height, width, channels).transpose(2, 0, 1))


def _shape(picture: Pixels) -> Shape:
    channels, height, width = picture.shape
    return channels, height, width


def _image(picture: Pixels) -> Image.Image:
    pixels = picture.transpose(1, 2, 0)
    return Image.fromarray(np.ascontiguousarray(pixels[:, :, 0] if len(picture) == 1 else pixels))


def _png(picture: Pixels) -> bytes:
    file = io.BytesIO()
    _image(picture).save(file, "PNG", optimize=True)
    return file.getvalue()


def _webp(picture: Pixels, *, quality: int, method: int) -> bytes:
    file = io.BytesIO()
    image = _image(picture)
    # Without `exact` the colours of transparent pixels would be changed.
    (image.convert("RGB") if len(picture) == 1 else image).save(
        file, "WEBP", lossless=True, exact=True, quality=quality, method=method
    )
    return file.getvalue()

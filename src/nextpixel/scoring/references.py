"""Simple likelihoods and code lengths to hold a model's against, in bits/dim of the same images."""

from __future__ import annotations

import io
import math
from importlib import import_module
from importlib.util import find_spec
from typing import Literal

import torch
from PIL import Image
from torch import Tensor

from nextpixel.data.picture_limits import MOST_WEBP_SIDE
from nextpixel.data.preview import sheet
from nextpixel.errors import InputError

Format = Literal["PNG", "WebP", "JPEG XL"]


BEST_EFFORTS: dict[Format, list[dict[str, int]]] = {
    "PNG": [{}],
    "WebP": [{"quality": 100, "method": 6}],
    "JPEG XL": [{"effort": 9}, {"effort": 10}],
}
QUICK_EFFORTS: dict[Format, dict[str, int]] = {
    "PNG": {},
    "WebP": {"quality": 50, "method": 2},
    "JPEG XL": {"effort": 7},
}


def independent_sub_pixels(train: Tensor, test: Tensor, levels: int) -> float:
    """Bits/dim of `test` when every sub-pixel is drawn by itself, from its own histogram over `train`.

    Each count starts at one (Laplace), so that no level is impossible.

    Args:
        train: integers `[N, C, H, W]` in 0..levels-1.
        test: likewise, of the same `C, H, W`.
        levels: number of levels.
    """
    counts = torch.stack([(train == level).sum(dim=0) for level in range(levels)]).double() + 1
    logs = (counts / counts.sum(dim=0)).log()
    nats = -logs.gather(0, test.long()).mean()
    return float(nats) / math.log(2)


def sheet_bits_per_dim(images: Tensor, form: Format) -> float:
    """Bits/dim of a lossless picture file that holds all images side by side, its header included.

    One sheet is kinder to a file format than one file an image. The levels are written as they are, not spread over
    0..255, which is kinder still.

    Args:
        images: uint8 `[N, C, H, W]`.
        form: picture format, at its best effort.
    """
    return lossless_size(sheet(images), form) * 8 / images.numel()


def lossless_size(picture: Image.Image, form: Format) -> int:
    """Bytes of a picture in a lossless format, at its best effort.

    JPEG XL's effort 10 is often larger than 9, so the smaller of both counts.

    Args:
        picture: the picture.
        form: picture format; JPEG XL only where `has_jpeg_xl`.

    Raises:
        InputError: the format gives other pixels back.
    """
    return min(_size(picture, form, effort) for effort in BEST_EFFORTS[form])


def quick_size(picture: Image.Image, form: Format) -> int:
    """Bytes of a picture in a lossless format at an effort that suits very many of them; a little more than the least.

    Args:
        picture: the picture.
        form: see `lossless_size`.

    Raises:
        InputError: the format gives other pixels back.
    """
    return _size(picture, form, QUICK_EFFORTS[form])


def _size(picture: Image.Image, form: Format, effort: dict[str, int]) -> int:
    buffer = io.BytesIO()
    if form == "JPEG XL":
        import_module("pillow_jxl")
        picture.save(buffer, format="JXL", lossless=True, **effort)
    else:
        # WebP changes the colours of transparent pixels unless it is told to be exact.
        picture.save(buffer, format=form, optimize=True, lossless=True, exact=True, **effort)
    with Image.open(buffer) as again:
        if again.convert(picture.mode).tobytes() != picture.tobytes():
            raise InputError(f"{form} as it is installed here does not keep the pixels of a picture; upgrade Pillow")
    return len(buffer.getvalue())


def fits(picture: Image.Image, form: Format) -> bool:
    """Whether a format can hold a picture of this size."""
    return form != "WebP" or max(picture.size) <= MOST_WEBP_SIDE


def has_jpeg_xl() -> bool:
    """Whether pictures can be written as JPEG XL (`pip install 'nextpixel[jxl]'`)."""
    return find_spec("pillow_jxl") is not None

"""Images at a glance: side by side, and as what a notebook shows of a set."""

from __future__ import annotations

import io
import math
from collections.abc import Iterable, Sequence

import numpy as np
from PIL import Image
from torch import Tensor

from nextpixel.data.decode import to_image
from nextpixel.data.levels import at_full_range
from nextpixel.runtime.html import facts_table, picture

SHOWN, SHOWN_PICTURES = 32, 4
COLUMNS = 8
THUMBNAIL = 160
MOST_WIDTH = 640


def sheet(images: Tensor, *, columns: int | None = None) -> Image.Image:
    """Put all images side by side, with their values as they are.

    Args:
        images: uint8 `[N, C, H, W]`.
        columns: images a row; None for about a square.
    """
    count, channels, height, width = images.shape
    columns = min(count, columns or math.ceil(math.sqrt(count)))
    rows = math.ceil(count / columns)
    canvas = np.zeros((channels, rows * height, columns * width), np.uint8)
    for index, image in enumerate(images.cpu().numpy()):
        row, column = index // columns * height, index % columns * width
        canvas[:, row : row + height, column : column + width] = image
    return to_image(canvas)


def as_png(image: Image.Image) -> bytes:
    """The bytes of a PNG."""
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


def set_html(title: str, facts: Sequence[tuple[str, str]], images: Tensor, levels: int) -> str:
    """What a notebook shows of a set.

    Args:
        title: a line above.
        facts: names and values.
        images: the first images, uint8 `[N, C, H, W]`.
        levels: of the images.
    """
    if not len(images):
        return facts_table(title, facts)
    shown = sheet(at_full_range(images, levels), columns=COLUMNS)
    wide = max(shown.width, min(MOST_WIDTH, 64 * min(len(images), COLUMNS)))
    return facts_table(title, facts) + picture(as_png(shown), width=wide, description=f"the first {len(images)} images")


def pictures_html(title: str, facts: Sequence[tuple[str, str]], pictures: Iterable[Tensor], levels: int) -> str:
    """What a notebook shows of pictures of any sizes: small forms of the first ones.

    Args:
        title: a line above.
        facts: names and values.
        pictures: uint8 `[C, H, W]` each.
        levels: of the pictures.
    """
    parts = []
    for number, pixels in enumerate(pictures):
        small = to_image(at_full_range(pixels, levels).numpy())
        small.thumbnail((THUMBNAIL, THUMBNAIL))
        parts.append(picture(as_png(small), width=small.width, description=f"picture {number}, made smaller"))
    return facts_table(title, facts) + " ".join(parts)

"""Images at a glance: side by side, and as what a notebook shows of a set."""

from __future__ import annotations

import io
import math
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image
from torch import Tensor

from nextpixel.data.decode import to_image
from nextpixel.data.levels import at_full_range
from nextpixel.runtime.html import facts_table, picture

if TYPE_CHECKING:
    from nextpixel.data.image_set import ImageSet
    from nextpixel.data.pictures import Pictures

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


def set_html(images: ImageSet) -> str:
    """What a notebook shows of a set: its first images, and what they are."""
    count, (channels, height, width) = min(len(images), SHOWN), images.image_shape
    facts = [
        ("Images", f"{len(images):,} of {channels} x {height} x {width} (channels, height, width)"),
        ("Levels", str(images.levels)),
    ]
    if images.splits:
        facts.append(("Splits", ", ".join(f"{name} {size:,}" for name, size in images.splits.items())))
    if images.label_names:
        facts.append(("Labels", ", ".join(images.label_names)))
    elif images.labels is not None:
        facts.append(("Labels", f"{int(images.labels.max()) + 1}"))
    facts += [("Note", note) for note in images.notes]
    if images.skipped:
        facts.append(("Left out", f"{len(images.skipped):,} files; see .skipped"))
    first = at_full_range(images[:count], images.levels)
    shown = sheet(first, columns=COLUMNS)
    wide = max(shown.width, min(MOST_WIDTH, 64 * min(count, COLUMNS)))
    description = f"the first {count} images"
    return facts_table(images.name, facts) + picture(as_png(shown), width=wide, description=description)


def pictures_html(pictures: Pictures) -> str:
    """What a notebook shows of pictures of any sizes: small forms of the first ones, and what they are."""
    count = min(len(pictures), SHOWN_PICTURES)
    sizes = pictures.sizes
    facts = [
        ("Pictures", f"{len(pictures):,} with {pictures.channels} channels, {pictures.levels} levels"),
        (
            "Pixels",
            f"{int(sizes.prod(axis=1).sum()):,} in all; heights {int(sizes[:, 0].min())} to "
            f"{int(sizes[:, 0].max())}, widths {int(sizes[:, 1].min())} to {int(sizes[:, 1].max())}",
        ),
    ]
    facts += [("Note", note) for note in pictures.notes]
    parts = []
    for number in range(count):
        small = to_image(at_full_range(pictures[number], pictures.levels).numpy())
        small.thumbnail((THUMBNAIL, THUMBNAIL))
        parts.append(picture(as_png(small), width=small.width, description=f"picture {number}, made smaller"))
    return facts_table(pictures.name, facts) + " ".join(parts)

"""Grids of images, enlarged so that every pixel is a crisp square."""

from __future__ import annotations

import io
import math
from pathlib import Path
from typing import NamedTuple

from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from nextpixel.data.decode import to_image
from nextpixel.data.levels import at_full_range
from nextpixel.errors import InputError
from nextpixel.rendering.mark import mark_of
from nextpixel.runtime.atomic_files import write_result

WANTED_WIDTH = 640
BACKGROUND = (120, 124, 140)
MOST_PIXELS = 2**27
"""Of a grid; Pillow opens no picture of more than 179 million pixels, and warns from half as many."""


def to_pil(image: Tensor, levels: int) -> Image.Image:
    """One image, integers `[C, H, W]` in 0..levels-1, with its levels spread over 0..255 by `level_table`."""
    return to_image(at_full_range(image, levels).numpy())


def spread(images: Tensor, levels: int) -> Tensor:
    """Values 0..levels-1, whole or not, as uint8 spread evenly over 0..255; for showing, not for reading back."""
    return (images.double() * (255 / (levels - 1))).round().clamp(0, 255).byte()


class Layout(NamedTuple):
    """Where the images of a grid lie: how many a row, their enlargement, and the pixels between them."""

    columns: int
    scale: int
    gap: int
    cell: tuple[int, int]
    size: tuple[int, int]


def layout(count: int, size: tuple[int, int], *, columns: int | None = None, scale: int | None = None) -> Layout:
    """The layout of so many images of a size `(height, width)`; see `grid`.

    Raises:
        InputError: programs would not open a picture as large.
    """
    height, width = size
    columns = min(count, columns or math.ceil(math.sqrt(count)))
    scale = scale or max(1, WANTED_WIDTH // (columns * (width + 1)))
    gap = max(1, scale // 2)
    cell = (width * scale + gap, height * scale + gap)
    whole = (columns * cell[0] + gap, math.ceil(count / columns) * cell[1] + gap)
    if whole[0] * whole[1] > MOST_PIXELS:
        raise InputError(
            f"{count:,} images in one picture make {whole[0]:,} x {whole[1]:,} pixels, more than programs open; take "
            "fewer, a smaller --scale, more --columns, or write a folder or an .npz"
        )
    return Layout(columns, scale, gap, cell, whole)


def grid(images: Tensor, levels: int, *, columns: int | None = None, scale: int | None = None) -> Image.Image:
    """Lay images out in rows.

    Args:
        images: integers `[N, C, H, W]` in 0..levels-1.
        levels: number of levels.
        columns: images a row; None for a square.
        scale: enlargement, by repeating pixels; None for a picture some 640 pixels wide, and at least 1.

    Raises:
        InputError: programs would not open a picture as large.
    """
    count, _, height, width = images.shape
    columns, scale, gap, cell, size = layout(count, (height, width), columns=columns, scale=scale)
    canvas = Image.new("RGB", size, BACKGROUND)
    for index, image in enumerate(images):
        picture = to_pil(image, levels)
        picture = picture.resize((width * scale, height * scale), Image.Resampling.NEAREST)
        corner = (index % columns * cell[0] + gap, index // columns * cell[1] + gap)
        canvas.paste(picture.convert("RGB"), corner, picture.getchannel("A") if "A" in picture.getbands() else None)
    return canvas


def beside(pictures: dict[str, Image.Image]) -> Image.Image:
    """Put pictures beside each other, each under its title."""
    size = max(14, max(picture.height for picture in pictures.values()) // 32)
    font = ImageFont.load_default(size)
    top, gap = 2 * size, size
    widths = [picture.width for picture in pictures.values()]
    canvas = Image.new(
        "RGB",
        (sum(widths) + gap * (len(widths) + 1), max(p.height for p in pictures.values()) + top + gap),
        (255, 255, 255),
    )
    pen = ImageDraw.Draw(canvas)
    left = gap
    for title, picture in pictures.items():
        pen.text((left, size // 2), title, fill=(20, 20, 30), font=font)
        canvas.paste(picture, (left, top))
        left += picture.width + gap
    return canvas


def picture_format(path: Path) -> str:
    """The format that a picture's ending names.

    Raises:
        InputError: none that can be written.
    """
    kind = Image.registered_extensions().get(path.suffix.lower())
    if kind is None or kind not in Image.SAVE:
        raise InputError(f"{path}: no picture format has the ending {path.suffix!r}; use .png")
    return kind


def save_picture(picture: Image.Image, path: Path, *, mark: bool = False) -> None:
    """Write a picture whole or not at all, in the format that the name's ending says (PNG, WebP, ...).

    Args:
        picture: the picture.
        path: where.
        mark: whether to say in it that nextpixel made it; see `nextpixel.rendering.mark`.

    Raises:
        InputError: the ending is of no known format, or the folder cannot be written.
    """
    buffer = io.BytesIO()
    kind = picture_format(path)
    try:
        picture.save(buffer, format=kind, **(mark_of(kind) if mark else {}))
    except (OSError, ValueError) as error:
        raise InputError(f"{path} cannot be written ({error}); choose another format") from error
    write_result(path, buffer.getvalue())

"""Pictures of what a sub-pixel's distribution depends on."""

from __future__ import annotations

from enum import IntEnum

import numpy as np
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

PAPER, INK, LINE = (255, 255, 255), (20, 20, 30), (255, 255, 255)
WANTED_SIDE, LEAST_WIDTH = 448, 420


class Kind(IntEnum):
    """What a pixel is to another one, whose distribution is looked at."""

    LATER = 0
    UNSEEN = 1
    SEEN = 2
    ITSELF = 3


# The colours differ in brightness too, for those who see few colours and for print.
COLOURS = {
    Kind.LATER: ((236, 238, 242), "not drawn yet"),
    Kind.UNSEEN: ((232, 163, 61), "drawn before, not seen"),
    Kind.SEEN: ((43, 108, 176), "drawn before, seen"),
    Kind.ITSELF: ((26, 26, 46), "the pixel itself"),
}


def kinds(seen: Tensor, before: Tensor, row: int, column: int) -> Tensor:
    """What each pixel is to one of them.

    Args:
        seen: bool `[C, H, W]`, sub-pixels that it depends on.
        before: bool `[C, H, W]`, sub-pixels that are drawn before it.
        row: of the pixel.
        column: of the pixel.

    Returns:
        int64 `[H, W]` of `Kind`: a pixel is seen if one of its colours is.
    """
    picture = before.any(dim=0).long() * Kind.UNSEEN
    picture[seen.any(dim=0)] = Kind.SEEN
    picture[row, column] = Kind.ITSELF
    return picture


def dependence(picture: Tensor, title: str) -> Image.Image:
    """Draw `kinds` with a title above and what the colours mean below.

    Args:
        picture: int64 `[H, W]` of `Kind`.
        title: a line.
    """
    height, width = picture.shape
    scale = max(1, WANTED_SIDE // max(height, width))
    gap, font = 12, ImageFont.load_default(13)
    table = np.array([colour for colour, _ in COLOURS.values()], np.uint8)
    cells = np.repeat(np.repeat(table[picture.cpu().numpy()], scale, axis=0), scale, axis=1)
    if scale >= 4:
        cells[::scale], cells[:, ::scale] = LINE, LINE
    legend = 20 * len(COLOURS)
    size = (max(LEAST_WIDTH, width * scale + 2 * gap), height * scale + 4 * gap + 16 + legend)
    canvas = Image.new("RGB", size, PAPER)
    pen = ImageDraw.Draw(canvas)
    pen.text((gap, gap), title, fill=INK, font=font)
    canvas.paste(Image.fromarray(cells), (gap, 2 * gap + 16))
    top = 3 * gap + 16 + height * scale
    for number, (colour, name) in enumerate(COLOURS.values()):
        pen.rectangle((gap, top + 20 * number, gap + 13, top + 20 * number + 13), fill=colour, outline=(150, 150, 150))
        pen.text((gap + 22, top + 20 * number - 1), name, fill=INK, font=font)
    return canvas

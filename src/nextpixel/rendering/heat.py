"""Heat maps: how many bits each pixel of an image takes under a model."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from matplotlib import colormaps
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from nextpixel.rendering.grid import to_pil

COLOURS = "inferno"
PAPER, INK = (255, 255, 255), (20, 20, 30)
LEAST_HEIGHT, TICKS = 224, 5


@lru_cache(maxsize=1)
def colour_table() -> NDArray[np.uint8]:
    """The colours of a heat map from none to most, uint8 `[256, 3]`; evenly spaced to the eye, also in grey."""
    table: NDArray[np.uint8] = (colormaps[COLOURS](np.arange(256))[:, :3] * 255).round().astype(np.uint8)
    return table


def heat(bits: Tensor, top: float) -> Image.Image:
    """A map of bits alone, a picture pixel for each, with the colours of `colour_table`.

    Args:
        bits: float `[H, W]`.
        top: what the last colour stands for, more than 0; more bits have it too.
    """
    share = (bits.double() / top).clamp(0, 1).mul(255).round().byte().cpu().numpy()
    return Image.fromarray(colour_table()[share])


def heat_map(image: Tensor, levels: int, bits: Tensor, top: float) -> Image.Image:
    """An image, beside it the bits of its pixels, and the bar that tells which colour stands for how many.

    Args:
        image: integers `[C, H, W]` in 0..levels-1.
        levels: number of levels.
        bits: float `[H, W]`, the bits of all sub-pixels of a pixel together.
        top: what the end of the bar stands for, more than 0.
    """
    height, width = bits.shape
    scale = max(1, -(-LEAST_HEIGHT // height))
    size = (width * scale, height * scale)
    font = ImageFont.load_default(13)
    gap, bar, text = 12, 16, 52
    canvas = Image.new("RGB", (2 * size[0] + bar + text + 4 * gap, size[1] + 2 * gap + 18), PAPER)
    original = to_pil(image, levels).resize(size, Image.Resampling.NEAREST)
    canvas.paste(original.convert("RGB"), (gap, gap), original.getchannel("A") if "A" in original.getbands() else None)
    canvas.paste(heat(bits, top).resize(size, Image.Resampling.NEAREST), (2 * gap + size[0], gap))
    left = 3 * gap + 2 * size[0]
    ramp = colour_table()[np.linspace(255, 0, size[1]).round().astype(int)]
    canvas.paste(Image.fromarray(np.repeat(ramp[:, None], bar, axis=1)), (left, gap))
    pen = ImageDraw.Draw(canvas)
    for tick in range(TICKS):
        y = gap + round((size[1] - 1) * tick / (TICKS - 1))
        value = top * (1 - tick / (TICKS - 1))
        pen.line((left + bar, y, left + bar + 4, y), fill=INK)
        pen.text((left + bar + 8, y), f"{value:.3g}", fill=INK, font=font, anchor="lm")
    foot = f"{float(bits.sum()):.1f} bits in all; colours: bits a pixel"
    pen.text((gap, gap + size[1] + 6), foot, fill=INK, font=font)
    return canvas

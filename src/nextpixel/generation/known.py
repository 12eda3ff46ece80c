"""Which pixels of an image are given when it is completed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from PIL import Image, UnidentifiedImageError
from torch import Tensor

from nextpixel.errors import InputError

HALVES = ("top", "bottom", "left", "right")


def known_mask(name: str, height: int, width: int) -> Tensor:
    """The known pixels as bool `[height, width]`.

    Args:
        name: `top`, `bottom`, `left` or `right` for that half (of an odd side, the smaller part), or the path of a
            picture of the images' size: white (half brightness or more) is known, black is to be drawn.
        height: of the images.
        width: of the images.

    Raises:
        InputError: the picture cannot be read or has another size.
    """
    known = torch.zeros(height, width, dtype=torch.bool)
    if name == "top":
        known[: height // 2] = True
    elif name == "bottom":
        known[height - height // 2 :] = True
    elif name == "left":
        known[:, : width // 2] = True
    elif name == "right":
        known[:, width - width // 2 :] = True
    else:
        return _read(Path(name), height, width)
    return known


def _read(path: Path, height: int, width: int) -> Tensor:
    try:
        with Image.open(path) as picture:
            mask = np.array(picture.convert("L"))
    except (OSError, UnidentifiedImageError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise InputError(f"--known takes {', '.join(HALVES)} or a picture; {path} cannot be read: {error}") from error
    if mask.shape != (height, width):
        raise InputError(
            f"the mask {path} is {mask.shape[0]} x {mask.shape[1]} (height, width), the images {height} x {width}; "
            "make them the same size"
        )
    return torch.from_numpy(mask >= 128)


def known_too_late(known: Tensor, order: Tensor) -> int:
    """How many known pixels come after an unknown one, and so cannot influence it.

    Args:
        known: bool `[H, W]`.
        order: ranks `[C, H, W]`.
    """
    if known.all():
        return 0
    return int((known & (order.amax(dim=0) > order[:, ~known].min())).sum())

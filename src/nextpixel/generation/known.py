"""Which pixels of an image are given when it is completed."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from nextpixel.data.decode import decode
from nextpixel.data.entries import Unusable
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
        pixels = decode(path.name, path.read_bytes()).pixels
    except OSError as error:
        raise InputError(
            f"--known takes {', '.join(HALVES)} or a picture; {path} cannot be read ({error.strerror})"
        ) from error
    except Unusable as error:
        raise InputError(f"the mask {path} {error}; save it as black and white") from error
    if len(pixels) not in (1, 3):
        raise InputError(f"the mask {path} has an alpha channel; save it as black and white without one")
    if pixels.shape[1:] != (height, width):
        raise InputError(
            f"the mask {path} is {pixels.shape[1]} x {pixels.shape[2]} (height, width), the images {height} x {width}; "
            "make them the same size"
        )
    return torch.from_numpy(pixels.mean(axis=0) >= 127.5)


def known_too_late(known: Tensor, order: Tensor) -> int:
    """How many known pixels come after an unknown one, and so cannot influence it.

    Args:
        known: bool `[H, W]`.
        order: ranks `[C, H, W]`.
    """
    if known.all():
        return 0
    return int((known & (order.amax(dim=0) > order[:, ~known].min())).sum())

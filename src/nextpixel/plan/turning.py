"""Images turned so that their first row is the side at which a model begins, and back."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]


def turned(images: Pixels, side: str) -> Pixels:
    """`[..., H, W]` so that the first row is a side; of left and right the rows are columns then."""
    if side == "bottom":
        return images[..., ::-1, :]
    if side == "right":
        images = images[..., ::-1]
    return images.swapaxes(-1, -2) if side in ("left", "right") else images


def turned_back(images: Pixels, side: str) -> Pixels:
    """What `turned` did, undone."""
    if side == "bottom":
        return images[..., ::-1, :]
    if side in ("left", "right"):
        images = images.swapaxes(-1, -2)
    return images[..., ::-1] if side == "right" else images

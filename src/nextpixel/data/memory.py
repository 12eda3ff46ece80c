"""Images that are in memory already, as a set."""

from __future__ import annotations

import numpy as np
import torch

from nextpixel.data.image_set import ImageSet
from nextpixel.data.levels import LevelTransform
from nextpixel.data.source import Layout
from nextpixel.data.table import Table
from nextpixel.errors import InputError


def as_image_set(images: object, levels: int, name: str = "array") -> ImageSet:
    """Take images as a set.

    Args:
        images: a set, which is returned as it is, or integers `[N, C, H, W]` as a tensor or an array.
        levels: how many levels the integers of an array have.
        name: short name of an array.

    Raises:
        InputError: they are neither, there are none, or a value is not below `levels`.
    """
    if isinstance(images, ImageSet):
        return images
    if isinstance(images, str | bytes) or hasattr(images, "__fspath__"):
        raise InputError(f"a set of images is needed, not {images!r:.80}; open it with nextpixel.open_images")
    try:
        values = images.detach().cpu().numpy() if isinstance(images, torch.Tensor) else np.asarray(images)
    except (TypeError, ValueError, RuntimeError) as error:
        raise InputError(f"images must be a set or integers [N, C, H, W], not {type(images).__name__}") from error
    if values.dtype.kind not in "iu" or values.ndim != 4 or values.size == 0:
        raise InputError(f"images must be integers [N, C, H, W], not {values.dtype} {list(values.shape)}")
    low, high = int(values.min()), int(values.max())
    if low < 0 or high >= levels:
        raise InputError(f"images hold values from {low} to {high}, but levels are 0..{levels - 1}; quantise them")
    table = Table(name, values.astype(np.uint8), levels, Layout(), (), ())
    transform = LevelTransform(levels, levels, None, 0, ())
    return ImageSet(table, transform, np.arange(len(values), dtype=np.int64), {})

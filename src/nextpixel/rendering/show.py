"""`nextpixel.show`: images as one picture, which notebooks display."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from nextpixel.data import ImageSet
from nextpixel.data.pictures import Pictures
from nextpixel.errors import InputError
from nextpixel.nn.tensors import as_tensor
from nextpixel.rendering.grid import beside, grid
from nextpixel.runtime.validation import integer

MOST_IMAGES = 64


Images = ImageSet | Pictures | Tensor | NDArray[np.generic] | Sequence[Tensor]


def show(
    images: Images | Mapping[str, Images | Image.Image],
    levels: int | None = None,
    *,
    columns: int | None = None,
    scale: int | None = None,
) -> Image.Image:
    """Lay images out in rows, enlarged so that every pixel is a crisp square.

    Args:
        images: a set, of which the first 64 are shown; or integers `[N, C, H, W]`, one image `[C, H, W]`, or images of
            different sizes in a list, as tensors or arrays. Several of these, or of the pictures returned, stand beside
            each other under their titles: a dict of them by title.
        levels: how many levels the integers have, 2 to 256. None takes those of a set; for others 2 where no value is
            above 1, as binary images have them, and else 256.
        columns: images a row; None for about a square.
        scale: enlargement, by repeating pixels; None for a picture some 640 pixels wide.

    Returns:
        A picture of Pillow: the last line of a notebook's cell displays it, and `.save("grid.png")` writes it.

    Raises:
        InputError: there are no images, they are none, or their values do not fit the levels.
    """
    if isinstance(images, Mapping):
        if not images:
            raise InputError("there are no images to show")
        panels = {
            str(title): part if isinstance(part, Image.Image) else show(part, levels, columns=columns, scale=scale)
            for title, part in images.items()
        }
        return beside(panels)
    if isinstance(images, ImageSet | Pictures):
        levels = images.levels if levels is None else levels
        shown = [images[number] for number in range(min(len(images), MOST_IMAGES))]
    else:
        shown = _as_images(images)
    if not shown:
        raise InputError("there are no images to show")
    largest = max(int(image.max()) for image in shown)
    levels = (2 if largest < 2 else 256) if levels is None else integer("levels", levels, 2, 256, error=InputError)
    if largest >= levels or min(int(image.min()) for image in shown) < 0:
        raise InputError(f"images of {levels} levels have values from 0 to {levels - 1}; give the levels of these")
    return grid(_of_one_size(shown), levels, columns=columns, scale=scale)


def _as_images(images: object) -> list[Tensor]:
    """Images as integers `[C, H, W]`.

    Raises:
        InputError: they are something else.
    """
    parts = [as_tensor(part, "images") for part in (images if isinstance(images, list | tuple) else [images])]
    shown = []
    for part in parts:
        if part.ndim not in (3, 4) or not 1 <= part.shape[-3] <= 4 or 0 in part.shape[-2:]:
            raise InputError(
                f"images are [N, C, H, W] or [C, H, W] with 1 to 4 channels C, not {list(part.shape)}; "
                "pixels whose channels come last are turned by .permute(2, 0, 1)"
            )
        if part.dtype.is_floating_point or part.dtype.is_complex:
            raise InputError(f"images are integers from 0 to levels - 1, not {part.dtype}; round them first")
        shown += list(part.cpu().long()) if part.ndim == 4 else [part.cpu().long()]
    if len({len(image) for image in shown}) > 1:
        raise InputError("images shown together have the same number of channels")
    return shown


def _of_one_size(images: list[Tensor]) -> Tensor:
    """Images `[N, C, H, W]`, small ones with zeros at the right and below."""
    height, width = (max(image.shape[axis] for image in images) for axis in (1, 2))
    whole = torch.zeros((len(images), len(images[0]), height, width), dtype=torch.int64)
    for number, image in enumerate(images):
        whole[number, :, : image.shape[1], : image.shape[2]] = image
    return whole

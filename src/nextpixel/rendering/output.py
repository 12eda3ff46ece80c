"""Where generated images go: a picture, an array, or a folder of files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from nextpixel.errors import InputError
from nextpixel.rendering.grid import grid, picture_format, save_picture, to_pil
from nextpixel.rendering.mark import marked_arrays
from nextpixel.runtime.atomic_files import check_new_folder, whole_folder, write_result


def check_destination(out: Path, *, columns: int | None = None, scale: int | None = None) -> None:
    """Refuse, before any work is done, what `write_images` could not write.

    Raises:
        InputError: the ending is of no known format, a folder holds files already, or a number is out of range.
    """
    for name, value in (("columns", columns), ("scale", scale)):
        if value is not None and value < 1:
            raise InputError(f"{name} must be at least 1, not {value}")
    if out.suffix.lower() == ".npz":
        return
    if out.suffix:
        picture_format(out)
    else:
        check_new_folder(out)


def write_images(
    images: Tensor,
    levels: int,
    out: Path,
    *,
    columns: int | None = None,
    scale: int | None = None,
    labels: Tensor | None = None,
) -> None:
    """Write images to `out`: one picture (.png, ...), an array (.npz), or, without an ending, a folder of PNG files.

    Args:
        images: integers `[N, C, H, W]` in 0..levels-1. Pictures spread the levels over 0..255; the array, with the
            entries `images` and `levels`, holds them as they are, and `nextpixel.open_images` reads it back.
        levels: number of levels.
        out: where.
        columns: images a row of the picture.
        scale: enlargement of the picture.
        labels: int64 `[N]`, stored beside the images in an array.

    Raises:
        InputError: it cannot be written.
    """
    if out.suffix.lower() == ".npz":
        array = images.cpu().numpy().astype(np.uint8)
        array = array[:, 0] if array.shape[1] == 1 else array.transpose(0, 2, 3, 1)
        entries: dict[str, NDArray[np.generic]] = {"images": array, "levels": np.array(levels, dtype=np.int64)}
        if labels is not None:
            entries["labels"] = labels.cpu().numpy()
        write_result(out, marked_arrays(entries))
    elif out.suffix:
        save_picture(grid(images, levels, columns=columns, scale=scale), out, mark=True)
    else:
        digits = len(str(len(images) - 1))
        with whole_folder(out) as folder:
            for index, image in enumerate(images):
                save_picture(to_pil(image, levels), folder / f"{index:0{digits}d}.png")

"""Picture files to and from the images that a model takes."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from nextpixel.codec.container import check_names, folders_of
from nextpixel.data.decode import PILLOW_ERRORS, decode
from nextpixel.data.entries import Unusable, is_image
from nextpixel.data.levels import level_table
from nextpixel.data.source import Pixels
from nextpixel.errors import DataError

METADATA = ("exif", "icc_profile", "xmp", "photoshop", "comment")


@dataclass(frozen=True)
class Pictures:
    """Picture files that were read.

    Attributes:
        images: uint8 `[C, H, W]` each, in 0..levels-1.
        names: for the files to be written, ending with .png.
        file_bytes: size of all files together.
        notes: sentences for the user.
    """

    images: list[Tensor]
    names: list[str]
    file_bytes: int
    notes: list[str]


def read_pictures(paths: Sequence[Path], levels: int) -> Pictures:
    """Read picture files, and those below folders, without loss or not at all.

    Args:
        paths: files and folders.
        levels: of the model. Below 256 the pictures must hold nothing but the values by which levels are shown.

    Raises:
        DataError: a file cannot be read without loss, two have one name, or there are none.
    """
    found: list[tuple[str, Path]] = []
    for path in paths:
        if path.is_dir():
            files = sorted(each for each in path.rglob("*") if each.is_file() and is_image(each.name))
            found += [(each.relative_to(path).as_posix(), each) for each in files]
        elif path.is_file():
            found.append((path.name, path))
        else:
            raise DataError(f"{path} is neither a file nor a folder: check it.")
    if not found:
        raise DataError(f"{', '.join(map(str, paths))}: no pictures there.")
    images, total, with_metadata, turned = [], 0, 0, 0
    for name, path in found:
        try:
            data = path.read_bytes()
            picture = decode(name, data)
        except OSError as error:
            raise DataError(f"{path} cannot be read ({error.strerror}): check that it is there.") from error
        except Unusable as error:
            raise DataError(f"{path} {error}: leave it out.") from error
        total += len(data)
        with_metadata += _has_metadata(data)
        turned += bool(picture.remarks)
        images.append(_levels_of(picture.pixels, levels, path))
    notes = []
    if with_metadata:
        notes.append(f"the metadata (EXIF, colour profile and the like) of {with_metadata} files are not kept")
    if turned:
        notes.append(f"{turned} files were converted exactly (palettes, transparent colours, EXIF orientation)")
    names = _names([name for name, _ in found])
    check_names(names)
    return Pictures(images, names, total, notes)


def _names(names: Sequence[str]) -> list[str]:
    """Names that end with .png, and differ."""
    short = [PurePosixPath(name).with_suffix(".png").as_posix() for name in names]
    counts = Counter(each for name in short for each in (name.casefold(), *set(folders_of(name.casefold()))))
    return [
        f"{name}.png" if counts[own.casefold()] > 1 and not name.lower().endswith(".png") else own
        for name, own in zip(names, short, strict=True)
    ]


def _levels_of(pixels: Pixels, levels: int, path: Path) -> Tensor:
    table = level_table(levels)
    back = np.full(256, 255, np.uint8)
    back[table] = np.arange(levels)
    found = back[pixels]
    if levels < 256 and not np.array_equal(table[np.minimum(found, levels - 1)], pixels):
        raise DataError(
            f"{path} has other values than the {levels} levels of the model are shown by: use a model of 256 levels."
        )
    return torch.from_numpy(found if levels < 256 else np.array(pixels))


def _has_metadata(data: bytes) -> bool:
    try:
        with Image.open(io.BytesIO(data)) as image:
            return any(image.info.get(each) for each in METADATA)
    except PILLOW_ERRORS:
        return False

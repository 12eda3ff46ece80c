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
from nextpixel.data.decode import TooDeep, decode
from nextpixel.data.entries import Unusable, is_image, told
from nextpixel.data.level_table import level_table
from nextpixel.data.pillow_errors import PILLOW_ERRORS
from nextpixel.data.source import Pixels
from nextpixel.data.sources.folders import file_names, read_file
from nextpixel.errors import DataError

MOST_TOLD = 5
METADATA = ("exif", "icc_profile", "xmp", "photoshop", "comment")


@dataclass(frozen=True)
class Pictures:
    """Picture files that were read.

    Attributes:
        images: uint8 `[C, H, W]` each, in 0..levels-1.
        names: for the files to be written, ending with .png.
        files: names and bytes of what was read, if they were to be kept; the names differ.
        with_metadata: whether each file has metadata.
        file_bytes: size of all files together.
        notes: sentences for the user.
    """

    images: list[Tensor]
    names: list[str]
    files: list[tuple[str, bytes]]
    with_metadata: list[bool]
    file_bytes: int
    notes: list[str]


def read_pictures(paths: Sequence[Path], levels: int, *, skip: bool = False, keep_files: bool = False) -> Pictures:
    """Read picture files, and those below folders, without loss or not at all.

    Folders are walked as for training: links to folders are followed, hidden files are not looked at.

    Args:
        paths: files and folders.
        levels: of the model. Below 256 the pictures must hold nothing but the values by which levels are shown.
        keep_files: whether to keep the bytes of the files.
        skip: whether to leave out what cannot be packed, and say so; else that is an error.

    Raises:
        DataError: a file cannot be read without loss or was passed over, two have one name, or there are none.
    """
    passed: Counter[str] = Counter()
    files = _named_files(paths, passed)
    images: list[Tensor] = []
    kept: list[str] = []
    left_out: list[str] = []
    remarks: Counter[str] = Counter()
    with_metadata: list[bool] = []
    contents: list[bytes] = []
    total = 0
    for name, path in files:
        try:
            data = read_file(path)
            picture = decode(path.name, data)
            image = levels_of(picture.pixels, levels)
        except TooDeep as error:
            left_out.append(f"{_shown(path)} has {error.bits} bits a channel, of which .npx files hold 8")
            continue
        except Unusable as error:
            left_out.append(f"{_shown(path)} {error}")
            continue
        try:
            check_names(_names([name]))
        except DataError as error:
            left_out.append(f"{_shown(path)}: {error}")
            continue
        images.append(image)
        kept.append(name)
        total += len(data)
        with_metadata.append(_has_metadata(data))
        if keep_files:
            contents.append(data)
        remarks.update(picture.remarks)
    if not skip and (left_out or passed):
        raise DataError(_stopped(left_out, passed))
    if not images:
        raise DataError(f"{', '.join(map(str, paths))}: no pictures there" + (f"; {left_out[0]}" if left_out else ""))
    notes = [f"left out: {reason}" for reason in left_out[:MOST_TOLD]]
    if len(left_out) > MOST_TOLD:
        notes.append(f"left out: {len(left_out) - MOST_TOLD} more files")
    if passed:
        notes.append(f"left out: {told(passed)}, which are not read")
    notes += [f"{count} files {remark.replace('{their}', 'their')}" for remark, count in remarks.items()]
    names = _names(kept)
    check_names(names)
    originals = list(zip(kept, contents, strict=True)) if keep_files else []
    return Pictures(images, names, originals, with_metadata, total, notes)


def _shown(path: Path) -> str:
    """A path in a sentence of one line."""
    return str(path) if str(path).isprintable() else ascii(str(path))


def _stopped(left_out: Sequence[str], passed: Counter[str]) -> str:
    """Why nothing is packed: somebody who deletes the originals afterwards would lose these."""
    parts = []
    if left_out:
        others = f" (and {len(left_out) - 1} more files cannot be packed)" if len(left_out) > 1 else ""
        parts.append(f"{left_out[0]}{others}")
    if passed:
        parts.append(f"{told(passed)} would be passed over")
    return f"{'; '.join(parts)}; --skip packs the others and says what it leaves out"


def _named_files(paths: Sequence[Path], passed: Counter[str]) -> list[tuple[str, Path]]:
    """The picture files at some paths, each with the name it is to have: as short as keeps them apart."""
    files: list[tuple[Path, str]] = []
    for path in paths:
        if path.is_dir():
            files += [(path, name) for name in file_names(path, passed) if is_image(name)]
        elif path.is_file():
            files.append((path.parent, path.name))
        else:
            raise DataError(f"{path} is neither a file nor a folder: check it")
    short = [name for _, name in files]
    with_folder = [f"{root.resolve().name}/{name}" for root, name in files]
    whole = [(root / name).absolute().relative_to(root.absolute().anchor).as_posix() for root, name in files]
    # Names that differ in case only cannot lie beside each other everywhere; where all do, the short ones tell it best.
    choices = [names for names in (short, with_folder) if len({name.casefold() for name in names}) == len(files)]
    choices += [names for names in (short, with_folder) if len(set(names)) == len(files)]
    choice = next(iter(choices), whole)
    return [(name, root / last) for name, (root, last) in zip(choice, files, strict=True)]


def _names(names: Sequence[str]) -> list[str]:
    """Names that end with .png, and differ."""
    short = [PurePosixPath(name).with_suffix(".png").as_posix() for name in names]
    counts = Counter(part for name in short for part in (name.casefold(), *set(folders_of(name.casefold()))))
    return [
        f"{name}.png" if counts[shortened.casefold()] > 1 and not name.lower().endswith(".png") else shortened
        for name, shortened in zip(names, short, strict=True)
    ]


def levels_of(pixels: Pixels, levels: int) -> Tensor:
    """Pixels of a file as integers in 0..levels-1.

    Raises:
        Unusable: some are not among the values by which levels are shown.
    """
    table = level_table(levels)
    back = np.full(256, 255, np.uint8)
    back[table] = np.arange(levels)
    integers = back[pixels]
    if levels < 256 and not np.array_equal(table[np.minimum(integers, levels - 1)], pixels):
        raise Unusable(
            f"has values between those by which the model's {levels} levels are shown: use a model of 256 levels"
        )
    return torch.from_numpy(integers if levels < 256 else np.array(pixels))


def _has_metadata(data: bytes) -> bool:
    try:
        with Image.open(io.BytesIO(data)) as image:
            return any(image.info.get(kind) for kind in METADATA)
    except PILLOW_ERRORS:
        return False

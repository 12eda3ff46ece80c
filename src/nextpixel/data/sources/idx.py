"""MNIST's idx files, plain or gzipped, singly or as a folder of a training and a test set."""

from __future__ import annotations

import gzip
import math
import re
import struct
import zlib
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import IO, cast

import numpy as np
from numpy.typing import NDArray

from nextpixel.data.mapped import MappedPixels
from nextpixel.data.source import Pixels
from nextpixel.data.sources.arrays import ArraySource, Part, channels_first, check_images, mapped_part
from nextpixel.data.sources.folders import file_stamp
from nextpixel.errors import DataError

GZIP_MAGIC = b"\x1f\x8b"
GZIP_ERRORS = (OSError, EOFError, ValueError, struct.error, zlib.error)
"""Everything that reading a damaged gzip file raises."""

UINT8 = 0x08
FOLDER_SPLITS = {"train": "train", "t10k": "test"}
IMAGES = re.compile(r"images([-.]idx)3")


def is_idx(path: Path) -> bool:
    """Whether a file starts as an idx file does, after unzipping where it is gzipped."""
    try:
        with _open(path) as file:
            start = file.read(4)
    except GZIP_ERRORS:
        return False
    return len(start) == 4 and start[:2] == b"\0\0" and start[2] in (8, 9, 11, 12, 13, 14) and 1 <= start[3] <= 4


def open_idx(path: Path) -> ArraySource:
    """Take an idx file of images, and its labels if they lie beside it under the usual name.

    Raises:
        DataError: if it is damaged or not uint8 `[N, H, W]`.
    """
    part, stamp = _part(path, None)
    return ArraySource(path.name, stamp, [part])


def find_idx_files(folder: Path) -> dict[str, Path]:
    """The idx files of images in a folder that are named as MNIST's are, by split."""
    files = {}
    for prefix, split in FOLDER_SPLITS.items():
        names = [f"{prefix}-images{mark}idx3-ubyte{suffix}" for mark in "-." for suffix in ("", ".gz")]
        path = next((folder / name for name in names if (folder / name).is_file()), None)
        if path is not None:
            files[split] = path
    return files


def open_idx_folder(folder: Path, files: dict[str, Path]) -> ArraySource:
    """Take the splits that `find_idx_files` found as one source."""
    parts, stamps = zip(*(_part(path, split) for split, path in files.items()), strict=True)
    return ArraySource(folder.resolve().name, ["idx folder", *stamps], parts)


def _part(path: Path, split: str | None) -> tuple[Part, list[object]]:
    """Read the header of a file of images and make a part of it."""
    where = str(path)
    stamp = ["idx", *file_stamp(path)]
    try:
        with _open(path) as file:
            zipped = isinstance(file, gzip.GzipFile)
            shape = _read_header(file, where, 3)
    except GZIP_ERRORS as error:
        raise _damaged(path) from error
    check_images(np.dtype(np.uint8), shape, where)
    labels_path = _labels_beside(path)
    labels = None
    if labels_path is not None:
        labels = partial(_read_labels, labels_path, shape[0])
        stamp += file_stamp(labels_path)
    if zipped:
        return Part(where, shape[0], lambda: _unzip(path, shape), labels, split), stamp
    offset = 4 + 4 * len(shape)
    size = path.stat().st_size - offset
    if size != math.prod(shape):
        raise DataError(f"{where} declares the shape {list(shape)} but holds {size} bytes: make or fetch it anew")
    try:
        mapped = MappedPixels(path, offset, shape, arrange=channels_first)
    except (OSError, ValueError) as error:
        raise _damaged(path) from error
    return mapped_part(where, mapped, labels, split), stamp


def _open(path: Path) -> IO[bytes]:
    file = path.open("rb")
    zipped = file.read(2) == GZIP_MAGIC
    file.seek(0)
    if not zipped:
        return file
    file.close()
    return cast(IO[bytes], gzip.open(path))


def _read_header(file: IO[bytes], where: str, dimensions: int) -> tuple[int, ...]:
    """Read magic number and shape."""
    magic = file.read(4)
    what = "images" if dimensions == 3 else "labels"
    if magic != bytes([0, 0, UINT8, dimensions]):
        raise DataError(
            f"{where} starts with {magic.hex() or 'nothing'} where an idx file of uint8 {what} starts with"
            f" 0000080{dimensions}: give a file of {what}"
        )
    sizes = file.read(4 * dimensions)
    if len(sizes) < 4 * dimensions:
        raise DataError(f"{where} ends within its header: make or fetch it anew")
    return struct.unpack(f">{dimensions}I", sizes)


def _unzip(path: Path, shape: tuple[int, ...]) -> Iterator[Pixels]:
    """Yield image after image, and check that the file ends with the last."""
    count, height, width = shape
    try:
        with _open(path) as file:
            _read_header(file, str(path), 3)
            for index in range(count):
                data = file.read(height * width)
                if len(data) < height * width:
                    raise DataError(f"{path} ends within image {index} of {count}: make or fetch it anew")
                yield np.frombuffer(data, np.uint8).reshape(1, height, width)
            _check_end(file, path)
    except GZIP_ERRORS as error:
        raise _damaged(path) from error


def _read_labels(path: Path, images: int) -> NDArray[np.uint8]:
    try:
        with _open(path) as file:
            (count,) = _read_header(file, str(path), 1)
            if count != images:
                raise DataError(f"{path} declares {count} labels for {images} images: give those that belong to them")
            data = file.read(count)
            if len(data) < count:
                raise DataError(f"{path} declares {count} labels but holds {len(data)}: make or fetch it anew")
            _check_end(file, path)
    except GZIP_ERRORS as error:
        raise _damaged(path) from error
    return np.frombuffer(data, np.uint8)


def _labels_beside(path: Path) -> Path | None:
    """The labels that belong to a file of images, gzipped or not."""
    name = IMAGES.sub(r"labels\g<1>1", path.name).removesuffix(".gz")
    if name == path.name.removesuffix(".gz"):
        return None
    return next((p for p in (path.with_name(name), path.with_name(name + ".gz")) if p.is_file()), None)


def _check_end(file: IO[bytes], path: Path) -> None:
    # Reading past the end also makes gzip compare its checksum.
    if file.read(1):
        raise DataError(f"{path} goes on after the number of items it declares: make or fetch it anew")


def _damaged(path: Path) -> DataError:
    return DataError(f"{path} is damaged or cannot be read: make or fetch it anew")

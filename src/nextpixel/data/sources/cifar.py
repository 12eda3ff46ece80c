"""CIFAR-10 in its binary version: records of one label and a 32x32 RGB image, plane by plane."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from nextpixel.data.sources.arrays import ArraySource, Part, mapped_part
from nextpixel.data.sources.folders import file_stamp
from nextpixel.errors import DataError

RECORD = 1 + 3 * 32 * 32
CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
TRAIN_FILES = tuple(f"data_batch_{number}.bin" for number in range(1, 6))
TEST_FILE = "test_batch.bin"


def find_cifar_files(folder: Path) -> list[Path]:
    """The files of the binary version that lie in a folder, training before test.

    Raises:
        DataError: if the folder holds the Python version, which is made of pickles.
    """
    files = [folder / name for name in (*TRAIN_FILES, TEST_FILE) if (folder / name).is_file()]
    if not files and (folder / "data_batch_1").is_file() and (folder / "batches.meta").is_file():
        raise DataError(
            f"{folder} holds the Python version of CIFAR-10, whose pickles are never read:"
            " put the binary version (cifar-10-binary.tar.gz) there"
        )
    return files


def open_cifar(folder: Path, files: list[Path]) -> ArraySource:
    """Take the files that `find_cifar_files` found.

    Raises:
        DataError: if a file is not made of whole records.
    """
    stamp = ["cifar", *(file_stamp(path) for path in files)]
    return ArraySource(folder.resolve().name, stamp, [_part(path) for path in files], 256, CLASSES)


def _part(path: Path) -> Part:
    size = path.stat().st_size
    if size == 0 or size % RECORD:
        raise DataError(f"{path} is {size} bytes long, not a multiple of {RECORD}: make or fetch it anew")
    try:
        records = np.fromfile(path, np.uint8, size)
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error.strerror}): check that it may be") from error
    if len(records) < size:
        raise DataError(f"{path} became shorter while it was read: make or fetch it anew")
    records = records.reshape(-1, RECORD)
    images = records[:, 1:].reshape(-1, 3, 32, 32)
    split = "test" if path.name == TEST_FILE else "train"
    return mapped_part(str(path), images, partial(_labels, records), split)


def _labels(records: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return records[:, 0].copy()

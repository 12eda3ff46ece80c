"""Sets known by name: the digits that come along, and the usual ones where this machine has them."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path

import numpy as np

from nextpixel.data.sources.arrays import ArraySource, mapped_part
from nextpixel.errors import DataError

DIGIT_NAMES = tuple("0123456789")
FASHION_NAMES = (
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
)
IDX_REMEDY = "the files train-images-idx3-ubyte.gz, train-labels-idx1-ubyte.gz, t10k-images-idx3-ubyte.gz and"
IDX_REMEDY += " t10k-labels-idx1-ubyte.gz"
REMEDIES = {
    "mnist": f"put {IDX_REMEDY} into one of them",
    "fashion-mnist": f"install the Debian package dataset-fashion-mnist or put {IDX_REMEDY} into one of them",
    "cifar10": "put the files data_batch_1.bin to data_batch_5.bin and test_batch.bin of the binary version"
    " into one of them",
}
LABEL_NAMES = {"mnist": DIGIT_NAMES, "fashion-mnist": FASHION_NAMES}
DEBIAN_FOLDERS = {"fashion-mnist": Path("/usr/share/datasets/fashion-mnist")}
INNER_FOLDERS = {"cifar10": "cifar-10-batches-bin"}
NAMES = ("digits", *REMEDIES)

DIGITS = Path(__file__).parent / "digits" / "digits.npz"
DIGITS_SEED = 20240229
DIGITS_HELD_OUT = 180


def find_named(name: str, cache_folder: Path) -> Path:
    """Find the folder of a set on this machine.

    Args:
        name: one of `mnist`, `fashion-mnist` and `cifar10`.
        cache_folder: where caches lie; a folder of that name in it will do.

    Raises:
        DataError: saying where it looked and what to put there.
    """
    data = os.environ.get("NEXTPIXEL_DATA")
    places = [Path(data) / name] if data else []
    places.append(cache_folder / name)
    if name in DEBIAN_FOLDERS:
        places.append(DEBIAN_FOLDERS[name])
    for place in places:
        inner = place / INNER_FOLDERS.get(name, "")
        if inner.is_dir():
            return inner
        if place.is_dir():
            return place
    hint = "" if data else " (and NEXTPIXEL_DATA, which may name another folder, is not set)"
    raise DataError(f"{name} is not in {' or in '.join(map(str, places))}{hint}: {REMEDIES[name]}")


def open_digits() -> ArraySource:
    """Open the 1,797 digits that come along, of 8 x 8 pixels and 17 levels, shuffled once and split 1437/180/180."""
    with np.load(DIGITS) as stored:
        images, labels = stored["images"], stored["labels"]
    # NumPy promises raw words to stay the same in every version, and permutations not.
    order = np.argsort(np.random.PCG64(DIGITS_SEED).random_raw(len(images)), kind="stable")
    images, labels = images[order][:, None], labels[order].astype(np.int64)
    train = len(images) - 2 * DIGITS_HELD_OUT
    bounds = {"train": slice(0, train), "valid": slice(train, train + DIGITS_HELD_OUT)}
    bounds["test"] = slice(train + DIGITS_HELD_OUT, None)
    parts = [
        mapped_part("digits", images[rows], partial(np.copy, labels[rows]), split) for split, rows in bounds.items()
    ]
    return ArraySource("digits", None, parts, 17, DIGIT_NAMES)

"""Checks on labels, wherever they come from."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from nextpixel.data.source import Labels
from nextpixel.errors import DataError

MAX_LABEL = np.iinfo(np.int64).max


def check_labels(values: NDArray[np.generic], count: int, where: str) -> Labels:
    """Return labels as int64 `[count]`.

    Args:
        values: an array of integers (also of Python integers).
        count: how many images there are.
        where: what to call the source in errors.

    Raises:
        DataError: if they are not one whole number from 0 upwards for each image.
    """
    if values.ndim != 1 or len(values) != count:
        raise DataError(
            f"the labels of {where} have shape {list(values.shape)} and must be one for each"
            f" of its {count} images: make them fit"
        )
    if values.dtype != object and values.dtype.kind not in "iu":
        raise DataError(f"the labels of {where} are {values.dtype} and must be whole numbers: convert them")
    if len(values) and not 0 <= values.min() <= values.max() <= MAX_LABEL:
        wrong = values.min() if values.min() < 0 else values.max()
        raise DataError(f"the labels of {where} hold {wrong} and must lie from 0 to {MAX_LABEL}")
    return values.astype(np.int64)


def check_label_names(names: tuple[str, ...], labels: Labels | None, where: str) -> tuple[str, ...]:
    """Return the names if there is one for every label, else raises `DataError`."""
    highest = -1 if labels is None or not len(labels) else int(labels.max())
    if highest >= len(names):
        raise DataError(f"{where} has the label {highest} but only {len(names)} label names: name every label")
    return names

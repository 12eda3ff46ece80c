"""The source made of rows of uint8 arrays, and images held in memory."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nextpixel.data.labels import check_label_names, check_labels
from nextpixel.data.mapped import MappedPixels
from nextpixel.data.source import MAX_IMAGE_BYTES, Layout, Picture, Pixels, Rejected, Stored
from nextpixel.errors import DataError

LEAST_SIDE_OF_A_PICTURE = 8
"""From this height and width on, [H, W, 3] is taken for one picture and not for many narrow ones."""


@dataclass(frozen=True)
class Part:
    """A run of images that lie one after another.

    Attributes:
        where: what to call them in errors.
        count: how many there are.
        images: starts a pass over them, each uint8 `[C, H, W]`.
        labels: reads their labels, or None.
        split: name of the split they make up, or None.
        direct: all of them as uint8 `[N, C, H, W]`, if that is to be had without reading them.
    """

    where: str
    count: int
    images: Callable[[], Iterator[Pixels]]
    labels: Callable[[], NDArray[np.generic]] | None = None
    split: str | None = None
    direct: Stored | None = None


class ArraySource:
    """Rows of arrays, in one part or in one a split.

    Args:
        name: short name for people.
        stamp: see `Source`.
        parts: the rows, in order.
        levels: levels of their integers.
        label_names: names of labels 0, 1, ..., or None.
    """

    def __init__(
        self,
        name: str,
        stamp: object,
        parts: Sequence[Part],
        levels: int = 256,
        label_names: tuple[str, ...] | None = None,
    ) -> None:
        self.name = name
        self.stamp = stamp
        self.levels = levels
        self._parts = parts
        self._label_names = label_names

    def expected(self) -> int:
        """The number of rows."""
        return sum(part.count for part in self._parts)

    def direct(self) -> Stored | None:
        """The array itself, if there is one."""
        return self._parts[0].direct if len(self._parts) == 1 else None

    def stream(self) -> Iterator[Picture | Rejected]:
        """Yield every row in order."""
        for part in self._parts:
            for image in part.images():
                yield Picture(None, image)

    def layout(self, kept: Sequence[str | None], rejected: Sequence[str]) -> Layout:  # noqa: ARG002 - see Source
        """Names the splits and reads the labels."""
        splits: dict[str, int] = {}
        for part in self._parts:
            if part.split is not None:
                splits[part.split] = splits.get(part.split, 0) + part.count
        known = [check_labels(part.labels(), part.count, part.where) for part in self._parts if part.labels]
        if len(known) < len(self._parts):
            notes = ("no labels, since only some of the files have them",) if known else ()
            return Layout(splits=splits, notes=notes)
        labels = np.concatenate(known)
        names = self._label_names
        if names is not None:
            names = check_label_names(names, labels, self.name)
        return Layout(splits=splits, labels=labels, label_names=names)


def open_array(array: NDArray[np.generic]) -> ArraySource:
    """Take an array in memory, which is neither copied nor cached.

    Args:
        array: uint8 `[N, H, W]` or `[N, H, W, C]` with C from 1 to 4.

    Raises:
        DataError: if it is anything else.
    """
    check_images(array.dtype, array.shape, "the array")
    return ArraySource("array", None, [mapped_part("the array", channels_first(array.view(np.uint8)))])


def mapped_part(
    where: str,
    images: Pixels | MappedPixels,
    labels: Callable[[], NDArray[np.generic]] | None = None,
    split: str | None = None,
) -> Part:
    """Make a part of uint8 `[N, C, H, W]` that is in memory or mapped into it."""
    return Part(where, len(images), lambda: iter(images), labels, split, images)


def channels_first(array: Pixels) -> Pixels:
    """Views `[N, H, W]` or `[N, H, W, C]` as `[N, C, H, W]`."""
    return array[:, None] if array.ndim == 3 else array.transpose(0, 3, 1, 2)


def check_images(dtype: np.dtype[np.generic], shape: tuple[int, ...], where: str) -> None:
    """Raise `DataError` unless type and shape are those of images, before anything is read or allocated."""
    if dtype != np.uint8:
        remedy = {
            "f": "scale them to 0..255, round, and convert with .astype(numpy.uint8)",
            "b": "convert with .astype(numpy.uint8) and store levels=2 beside them in an .npz",
        }.get(dtype.kind, "convert whole numbers from 0 to 255 with .astype(numpy.uint8)")
        raise DataError(f"the images of {where} must be uint8 and are {str(dtype)[:40]}: {remedy}")
    if len(shape) not in (3, 4):
        raise DataError(
            f"the images of {where} have shape {list(shape)} and need [N, H, W] or [N, H, W, C]: reshape them"
        )
    if len(shape) == 3 and shape[2] in (3, 4) and min(shape[:2]) >= LEAST_SIDE_OF_A_PICTURE:
        raise DataError(
            f"{where} has the shape {list(shape)}, which looks like one {'RGB' if shape[2] == 3 else 'RGBA'} image and"
            f" would be {shape[0]} grey images of width {shape[2]}: give images[None] for the one, or images[..., None]"
        )
    if min(shape) < 1:
        raise DataError(f"the images of {where} have shape {list(shape)}, which holds none: store at least one")
    if len(shape) == 4 and shape[3] > 4:
        raise DataError(
            f"the images of {where} have shape {list(shape)} with {shape[3]} channels in the last place,"
            " which must be 1 to 4: move the channels last"
        )
    if math.prod(shape[1:]) > MAX_IMAGE_BYTES:
        raise DataError(
            f"the images of {where} have shape {list(shape)}, more than {MAX_IMAGE_BYTES} bytes each: cut them up"
        )

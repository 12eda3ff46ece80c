"""What a source of images has to offer, and the two things it yields.

A source reads its images one at a time and in whatever order is cheapest for it; only when all have been seen
does it say how they are arranged (`Layout`). Folders, archives, arrays and idx files all fit behind this.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]
"""uint8, `[C, H, W]` for one image and `[N, C, H, W]` for many."""


class Stored(Protocol):
    """Images `[N, C, H, W]` wherever they lie: an array, a mapped file, or files that are read when asked."""

    @property
    def shape(self) -> tuple[int, ...]:
        """`(N, C, H, W)`."""
        ...

    def __len__(self) -> int:
        """N."""
        ...

    def __getitem__(self, rows: NDArray[np.int64], /) -> Pixels:
        """The images at some places, uint8 `[B, C, H, W]`, in the order of the places."""
        ...


Labels = NDArray[np.int64]
Vectors = NDArray[np.float32]

NO_LABEL = -1
"""Stands where an image has no label while others have; also what Hugging Face's sets have where labels are secret."""

MAX_IMAGE_BYTES = 1 << 28
"""The largest image read, in bytes once decoded (67 megapixels with four channels)."""


@dataclass(frozen=True)
class Picture:
    """One image as it was stored.

    Attributes:
        name: relative file name, or None where images have no names.
        pixels: uint8 `[C, H, W]`.
        remarks: what was done to it, as the end of a sentence that starts "3 images"; may hold `{their}`.
        bits: bits a channel of its file; of more than 8 the pixels are the highest 8.
    """

    name: str | None
    pixels: Pixels
    remarks: tuple[str, ...] = ()
    bits: int = 8


@dataclass(frozen=True)
class Rejected:
    """One image file that cannot be used without loss, or at all, and why.

    Attributes:
        name: relative file name.
        reason: why, as the end of a sentence that starts with the name.
        passing: whether the system is the reason, which may be gone the next time.
    """

    name: str
    reason: str
    passing: bool = False


@dataclass(frozen=True)
class Layout:
    """How the images that were read are arranged.

    Attributes:
        splits: name and number of images of each split, in order; empty when there are none.
        labels: int64 `[N]` in final order, -1 where an image of a split without labels has none; or None.
        label_names: names of labels 0, 1, ..., or None.
        vectors: float32 `[N, d]` in final order, or None.
        names: relative file names in final order, or None.
        order: int64 `[N]`: for each image in final order, which of those read it is; None if as read.
        notes: sentences for the user.
        labels_error: why the labels that lie with the images cannot be used, or None.
        vectors_error: likewise of vectors.
    """

    splits: dict[str, int] = field(default_factory=dict)
    labels: Labels | None = None
    label_names: tuple[str, ...] | None = None
    vectors: Vectors | None = None
    names: Sequence[str] | None = None
    order: Labels | None = None
    notes: tuple[str, ...] = ()
    labels_error: str | None = None
    vectors_error: str | None = None


class Source(Protocol):
    """A place that images come from.

    Attributes:
        name: short name for people, never an absolute path.
        levels: how many levels the integers have, 2..256.
    """

    name: str
    levels: int

    @property
    def stamp(self) -> object:
        """Something JSON can hold that changes whenever the bytes do, or None where nothing tells."""
        ...

    def expected(self) -> int | None:
        """How many images `stream` is going to yield, where that is to be had cheaply."""
        ...

    def direct(self) -> Stored | None:
        """All images `[N, C, H, W]` where they can be had without reading them, else None."""
        ...

    def stream(self) -> Iterator[Picture | Rejected]:
        """Yield every image once."""
        ...

    def layout(self, kept: Sequence[str | None], rejected: Sequence[str]) -> Layout:
        """Arrange the images that `stream` yielded, given their names in the order they came."""
        ...

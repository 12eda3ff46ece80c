"""Images in a file that is mapped into memory, which may be cut short by somebody while it is in use."""

from __future__ import annotations

import math
import mmap
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal, TypeVar

import numpy as np

from nextpixel.data.source import Labels, Pixels
from nextpixel.errors import DataError
from nextpixel.runtime.batching import batches

READ_BYTES = 1 << 22

Result = TypeVar("Result")


class MappedPixels:
    """uint8 `[N, ...]` in a file; see `nextpixel.data.source.Stored`.

    Where a mapped file has become shorter, its missing pages end a process by a signal, or are zeros. So the length of
    the file is compared before and after whatever looks at it, which takes less than a microsecond; what is left is a
    file cut within that moment.

    Args:
        path: the file.
        offset: where the numbers begin in it.
        shape: of the numbers in the file.
        order: how they lie.
        arrange: views them as images; None for as they are.
        remedy: what to do if the file is cut short, as the end of a sentence.

    Raises:
        OSError: it cannot be read.
        ValueError: it is shorter than this.
    """

    def __init__(
        self,
        path: Path,
        offset: int,
        shape: tuple[int, ...],
        order: Literal["C", "F"] = "C",
        arrange: Callable[[Pixels], Pixels] | None = None,
        remedy: str = "make or fetch it anew",
    ) -> None:
        self._arguments = (path, offset, shape, order, arrange, remedy)
        size = math.prod(shape)
        with path.open("rb") as file:
            self._map = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        self._path, self._remedy, self._end = path, remedy, offset + size
        array = np.frombuffer(self._map, np.uint8, size, offset).reshape(shape, order=order)
        self._array = array if arrange is None else arrange(array)
        self.shape = self._array.shape

    def __reduce__(self) -> tuple[object, ...]:
        # Another process maps the file anew.
        return MappedPixels, self._arguments

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: Labels, /) -> Pixels:
        """The images at some places, a copy.

        Raises:
            DataError: the file is shorter than it was.
        """
        return self.look(lambda array: array[rows])

    def __iter__(self) -> Iterator[Pixels]:
        """The images one after the other, copies.

        Raises:
            DataError: the file is shorter than it was.
        """
        for part in batches(len(self), max(1, READ_BYTES // math.prod(self.shape[1:]))):
            yield from self[np.arange(part.start, part.stop)]

    def look(self, take: Callable[[Pixels], Result]) -> Result:
        """What a function makes of all images, which must not be a view of them.

        Raises:
            DataError: the file is shorter than it was.
        """
        self._check()
        result = take(self._array)
        self._check()
        return result

    def _check(self) -> None:
        if self._map.size() < self._end:
            raise DataError(f"{self._path} is shorter than it was when it was opened: {self._remedy}")

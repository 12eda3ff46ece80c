"""Images in files of equal numbers of images, of which those that are asked for are read.

They are read, not mapped: the pages of a mapping count as resident memory until the system wants them back, so that
training on a large set would seem to fill the memory; a file cut short raises an error here, and would end the process
there.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from io import FileIO
from pathlib import Path

import numpy as np

from nextpixel.data.source import Labels, Pixels
from nextpixel.errors import DataError

HEADER_BYTES = 128
"""What stands before the pixels of a shard: the header of an .npy file."""


class Shards:
    """uint8 `[N, C, H, W]` in .npy files; see `nextpixel.data.source.Stored`.

    Args:
        paths: the files, in order.
        images: how many images each holds; the last one may hold fewer.
        shape: `(N, C, H, W)` of all.
    """

    def __init__(self, paths: Sequence[Path], images: int, shape: tuple[int, int, int, int]) -> None:
        self.shape = shape
        self._paths = paths
        self._images = images

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: Labels, /) -> Pixels:
        """Read the images at the places `[B]`, each 0..N-1, from front to back.

        Raises:
            DataError: if a file is gone or shorter than it was.
        """
        if (rows[1:] >= rows[:-1]).all():
            return self._ascending(rows)
        order = np.argsort(rows, kind="stable")
        images = np.empty((len(rows), *self.shape[1:]), np.uint8)
        images[order] = self._ascending(rows[order])
        return images

    def _ascending(self, rows: Labels) -> Pixels:
        images = np.empty((len(rows), *self.shape[1:]), np.uint8)
        if not len(rows):
            return images
        flat, size = images.reshape(-1), math.prod(self.shape[1:])
        shards, places = np.divmod(rows, self._images)
        # Images that lie one after another in a shard are read at once.
        breaks = (np.flatnonzero((np.diff(rows) != 1) | (np.diff(shards) != 0)) + 1).tolist()
        runs = itertools.pairwise([0, *breaks, len(rows)])
        for shard, runs_of_shard in itertools.groupby(runs, key=lambda run: int(shards[run[0]])):
            path = self._paths[shard]
            try:
                with FileIO(path) as file:
                    for start, end in runs_of_shard:
                        file.seek(HEADER_BYTES + int(places[start]) * size)
                        _fill(file, flat[start * size : end * size], path)
            except OSError as error:
                raise DataError(
                    f"{path} cannot be read ({error.strerror}): put it back, or prepare the set anew"
                ) from error
        return images


def _fill(file: FileIO, target: Pixels, path: Path) -> None:
    while len(target):
        count = file.readinto(target.data)
        if not count:
            raise DataError(f"{path} is shorter than it was when it was opened: prepare the set anew")
        target = target[count:]

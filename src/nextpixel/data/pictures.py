"""`Pictures`: images of one kind and of any sizes, read from mapped memory one at a time."""

from __future__ import annotations

import functools
import hashlib
import operator
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal, SupportsIndex

import numpy as np
import torch
from numpy.typing import NDArray

from nextpixel.data.cache import Record, cache_folder, cache_path, read_cache, write_cache
from nextpixel.data.find import find_source
from nextpixel.data.geometry import Geometry
from nextpixel.data.ingest import ingest
from nextpixel.data.levels import LevelTransform, plan
from nextpixel.data.mapped import MappedPixels, Result
from nextpixel.data.parts import places_held_out, places_of_split
from nextpixel.data.preview import SHOWN_PICTURES, pictures_html
from nextpixel.data.reading import Reading, Wishes
from nextpixel.data.source import Pixels, Source
from nextpixel.errors import DataError

FINGERPRINT_BYTES = 1 << 26
"""A fingerprint looks at every sub-pixel of a set up to this size, and at evenly spaced ones of a larger set."""


@dataclass(frozen=True)
class Stock:
    """All pictures of a source, one after another.

    Attributes:
        name: short name of the source.
        pixels: uint8, the sub-pixels of all pictures, each as `[C, H, W]`; mapped from a file where there is one.
        channels: of every picture.
        sizes: int64 `[N, 2]`: height and width of each.
        names: relative file name of each, or None where they have none.
        skipped: name and reason of each file left out.
        notes: sentences for the user.
        wishes: how they were asked for, by the names of the options of `nextpixel.open_images`.
    """

    name: str
    pixels: Pixels | MappedPixels
    channels: int
    sizes: NDArray[np.int64]
    names: tuple[str, ...] | None
    skipped: tuple[tuple[str, str], ...]
    notes: tuple[str, ...]
    wishes: Wishes

    @functools.cached_property
    def ends(self) -> NDArray[np.int64]:
        """int64 `[N + 1]`: where each picture begins in `pixels`, and the last one ends."""
        return np.concatenate([[0], np.cumsum(self.channels * self.sizes.prod(axis=1))])

    def look(self, take: Callable[[Pixels], Result]) -> Result:
        """What a function makes of `pixels`, which must not be a view of them.

        Raises:
            DataError: their file is shorter than it was.
        """
        return self.pixels.look(take) if isinstance(self.pixels, MappedPixels) else take(self.pixels)


class Pictures:
    """Pictures of any sizes, with the same channels and levels; `nextpixel.open_pictures` makes them.

    `len(p)`; `p[i]` is uint8 `[C, H, W]`. Sub-pixels stay on disk until they are asked for.

    Args:
        stock: all pictures of the source.
        transform: how stored integers become served ones.
        rows: int64 `[N]`: which pictures of the source the set holds, in order.
        splits: names and sizes of the parts that the rows are made of, in order.
    """

    condition = labels = label_names = None
    """A set of pictures has neither conditions nor labels."""

    def __init__(
        self, stock: Stock, transform: LevelTransform, rows: NDArray[np.int64], splits: dict[str, int]
    ) -> None:
        self._stock, self._transform, self._rows, self._splits = stock, transform, rows, splits

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, index: SupportsIndex) -> torch.Tensor:
        place = operator.index(index)
        if not -len(self) <= place < len(self):
            raise IndexError(f"picture {place} asked of a set of {len(self)}")
        place %= len(self)
        height, width = self.sizes[place].tolist()
        return torch.from_numpy(self.region(place, 0, 0, height, width))

    def region(self, index: int, top: int, left: int, height: int, width: int) -> Pixels:
        """Read a part of a picture, and nothing else of it.

        Args:
            index: which picture, from 0.
            top: first row.
            left: first column.
            height: number of rows.
            width: number of columns.

        Returns:
            uint8 `[C, height, width]`, a copy.
        """
        row = int(self._rows[index])
        start, end = self._stock.ends[row : row + 2]
        rows, columns = self._stock.sizes[row]

        def cut(pixels: Pixels) -> Pixels:
            picture = pixels[start:end].reshape(self.channels, rows, columns)
            return picture[:, top : top + height, left : left + width].copy()

        part = self._stock.look(cut)
        served: Pixels = self._transform.apply(part[None], np.array([row]), 0)[0].copy()
        return served

    @property
    def channels(self) -> int:
        """Channels of every picture, 1 to 4."""
        return self._stock.channels

    @property
    def levels(self) -> int:
        """How many levels the integers have, 2..256."""
        return self._transform.served

    @property
    def sizes(self) -> NDArray[np.int64]:
        """int64 `[N, 2]`: height and width of each picture."""
        return self._stock.sizes[self._rows]

    @property
    def sub_pixels(self) -> NDArray[np.int64]:
        """int64 `[N]`: number of sub-pixels of each picture."""
        sub_pixels: NDArray[np.int64] = self.channels * self.sizes.prod(axis=1)
        return sub_pixels

    @property
    def name(self) -> str:
        """Short name of the source."""
        return self._stock.name

    @property
    def names(self) -> tuple[str, ...] | None:
        """Relative file name of every picture, or None where they have none."""
        names = self._stock.names
        return None if names is None else tuple(names[row] for row in self._rows)

    @property
    def skipped(self) -> tuple[tuple[str, str], ...]:
        """Name and reason of every file of the source that was left out."""
        return self._stock.skipped

    @property
    def notes(self) -> tuple[str, ...]:
        """What was done to the pictures of the source, a phrase each."""
        return self._stock.notes + self._transform.notes

    @property
    def reading(self) -> Reading:
        """How the pictures were read."""
        return Reading.of(self._stock.wishes, prepared={}, binarize=None)

    @property
    def splits(self) -> dict[str, int]:
        """Names and sizes of the splits, in order; empty for a source without and for a split or subset."""
        return dict(self._splits)

    @functools.cached_property
    def fingerprint(self) -> str:
        """Hex digest that tells sets of other pictures or levels apart."""
        digest = hashlib.blake2b(repr([len(self), self.channels, self.levels]).encode(), digest_size=8)
        digest.update(self.sizes.astype("<i8").tobytes())
        step = max(1, -(-int(self.sub_pixels.sum()) // FINGERPRINT_BYTES))
        for row in self._rows:
            start, end = self._stock.ends[row : row + 2]
            digest.update(self._stock.look(partial(_bytes_of, slice(start, end, step))))
        return digest.hexdigest()

    def split(self, name: str) -> Pictures:
        """Return one split.

        Raises:
            DataError: there is none of that name; the message lists those there are.
        """
        return self.subset(places_of_split(self._splits, name, self.name))

    def subset(self, indices: NDArray[np.int64]) -> Pictures:
        """Return the pictures at some places, int64 `[M]` in 0..N-1, as a set."""
        return Pictures(self._stock, self._transform, self._rows[indices], {})

    def hold_out(self, fraction: float) -> tuple[Pictures, Pictures]:
        """Divide the set in two, the second for validation; always in the same way, so that runs can be compared.

        Args:
            fraction: the part that is held out, rounded to whole pictures, of which it is at least one.

        Raises:
            DataError: that leaves no picture to train on, or the fraction is not between 0 and 1.
        """
        training, valid = places_held_out(len(self), fraction, self.name, "picture")
        return self.subset(training), self.subset(valid)

    def __repr__(self) -> str:
        return f"<Pictures {self.name}: {len(self)} with {self.channels} channels, {self.levels} levels>"

    def _repr_html_(self) -> str:
        (low, narrow), (high, wide) = self.sizes.min(axis=0).tolist(), self.sizes.max(axis=0).tolist()
        facts = [
            ("Pictures", f"{len(self):,} with {self.channels} channels, {self.levels} levels"),
            ("Pixels", f"{int(self.sizes.prod(axis=1).sum()):,}; heights {low} to {high}, widths {narrow} to {wide}"),
        ]
        facts += [("Note", note) for note in self.notes]
        first = (self[number] for number in range(min(len(self), SHOWN_PICTURES)))
        return pictures_html(self.name, facts, first, self.levels)


def open_pictures(
    source: object,
    *,
    split: str | None = None,
    levels: int | None = None,
    mode: Literal["grey", "rgb"] | None = None,
    drop_alpha: bool = False,
    depth: Literal[8] | None = None,
    cache: str | Path | None = None,
) -> Pictures:
    """Open pictures of any sizes, as they are. Nothing is resized.

    They are decoded once, into a file that is mapped into memory, so that a set may be larger than memory.

    Args:
        source: whatever `nextpixel.open_images` takes; most of all a folder or an archive of pictures.
        split: only this split; None for all pictures, in the order train, valid, test.
        levels: quantise to this many levels, `floor(x * new / old)`.
        mode: "grey" for luminance, "rgb" for three channels; needed where a source has both.
        drop_alpha: discard alpha channels.
        depth: 8 to take the highest eight bits of files that have more; they are left out otherwise.
        cache: folder for the decoded pictures, instead of `$NEXTPIXEL_CACHE` or the system's folder for caches.

    Returns:
        The pictures.

    Raises:
        DataError: the source cannot be read, its pictures have different channels, or a wish cannot be met.
    """
    geometry = Geometry(drop_alpha, mode, None, depth if levels is None else 8)
    folder = cache_folder(cache)
    opened = find_source(source, folder)
    transform = plan(opened.levels, levels, None, 0, opened.name)
    pixels, record = _decoded(opened, geometry, folder)
    names = record["names"]
    order = np.arange(len(record["sizes"])) if record["order"] is None else np.array(record["order"])
    stock = Stock(
        name=opened.name,
        pixels=pixels,
        channels=record["channels"],
        sizes=np.array(record["sizes"], dtype=np.int64),
        # Names come in the final order of the source, and pictures lie as they were read.
        names=None if names is None else tuple(names[place] for place in np.argsort(order)),
        skipped=tuple((file, reason) for file, reason in record["skipped"]),
        notes=tuple(record["notes"]),
        wishes=Reading(levels=levels, mode=mode, drop_alpha=drop_alpha, depth=depth).wishes(),
    )
    pictures = Pictures(stock, transform, order.astype(np.int64), record["splits"])
    return pictures if split is None else pictures.split(split)


def _decoded(source: Source, geometry: Geometry, folder: Path) -> tuple[Pixels | MappedPixels, Record]:
    """All sub-pixels of a source, from the cache, which is built if need be, and what is known of them."""
    stamp = source.stamp
    if stamp is None:
        parts: list[Pixels] = []
        record = _filled(source, geometry, parts.append)
        return np.concatenate([part.reshape(-1) for part in parts]), record
    path = cache_path(folder, ["pictures", stamp, geometry.key, geometry.depth])
    cached = read_cache(path)
    if cached is None or cached[1]["passing"]:
        write_cache(path, lambda keep: _filled(source, geometry, keep))
        cached = read_cache(path)
    if cached is None:
        raise DataError(f"the cache {path} changed while it was written: check the disk or set NEXTPIXEL_CACHE")
    return cached


def _filled(source: Source, geometry: Geometry, keep: Callable[[Pixels], object]) -> Record:
    """Read a source into a cache; returns what is known of it, as JSON holds it."""
    sizes: list[list[int]] = []

    def measure_and_keep(picture: Pixels) -> None:
        sizes.append(list(picture.shape[1:]))
        keep(picture)

    seen = ingest(source, geometry, measure_and_keep, any_size=True)
    channels = seen.shape[0]
    return {
        "shape": [channels * sum(height * width for height, width in sizes)],
        "channels": channels,
        "sizes": sizes,
        "splits": seen.layout.splits,
        "names": None if seen.layout.names is None else list(seen.layout.names),
        "order": None if seen.layout.order is None else seen.layout.order.tolist(),
        "skipped": seen.skipped,
        "notes": seen.notes,
        "passing": seen.passing,
    }


def _bytes_of(places: slice, pixels: Pixels) -> bytes:
    return pixels[places].tobytes()

"""All images of a source under one roof: mapped pixels and what is known about them."""

from __future__ import annotations

import contextlib
import math
import os
import weakref
from collections.abc import Callable
from dataclasses import dataclass, field, fields, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from nextpixel.data.cache import Record, cache_path, read_cache, unwritable, write_cache
from nextpixel.data.geometry import Geometry
from nextpixel.data.ingest import ALMOST_BLACK, ingest
from nextpixel.data.mapped import MappedPixels
from nextpixel.data.reading import Reading, Wishes
from nextpixel.data.source import Layout, Pixels, Source, Stored
from nextpixel.data.sources.arrays import ArraySource
from nextpixel.errors import DataError
from nextpixel.runtime.atomic_files import hidden_name, make_folder, remove_leftovers
from nextpixel.runtime.batching import batches


@dataclass(frozen=True)
class Table:
    """The images of a whole source.

    Attributes:
        name: short name of the source.
        pixels: uint8 `[N, C, H, W]` in the order stored; often mapped or read from files.
        levels: levels of the stored integers.
        layout: how the images are arranged.
        skipped: name and reason of each file left out.
        notes: sentences for the user.
        reopen: makes the same table in another process, where mapped pixels cannot be sent.
        reopen_pixels: likewise the pixels alone, of what was read once and must not be read anew.
        prepared: what `nextpixel.data.prepare` did to the images, by the names of its options.
        wishes: how the images were asked for, by the names of the options of `nextpixel.open_images`.
        digest: tells the images and labels from all others where that is known without reading them, else None.
    """

    name: str
    pixels: Stored
    levels: int
    layout: Layout
    skipped: tuple[tuple[str, str], ...]
    notes: tuple[str, ...]
    reopen: Callable[[], Table] | None = None
    reopen_pixels: Callable[[], Stored] | None = None
    prepared: dict[str, Any] = field(default_factory=dict)
    wishes: Wishes = field(default_factory=lambda: Reading().wishes())
    digest: str | None = None

    def __reduce__(self) -> str | tuple[object, ...]:
        # Pickling the pixels would copy the whole set to every worker; they map the same file instead.
        if self.reopen_pixels is not None:
            left_out = ("pixels", "reopen")
            state = {item.name: getattr(self, item.name) for item in fields(self) if item.name not in left_out}
            return _with_pixels, (state,)
        return super().__reduce__() if self.reopen is None else (self.reopen, ())


def load_table(source: Source, geometry: Geometry, folder: Path) -> Table:
    """Make the images of a source available.

    Args:
        source: where they come from.
        geometry: what to do to each.
        folder: where caches lie.

    Returns:
        The table: the source's own array where nothing has to be done to it, else from the cache, which is
        built if need be.

    Raises:
        DataError: the images cannot be read or the cache cannot be written.
    """
    direct = source.direct()
    if direct is not None and geometry.leaves(direct.shape[1:]):
        layout = source.layout([None] * len(direct), [])
        notes = (*layout.notes, ALMOST_BLACK) if _is_almost_black(direct, source.levels) else layout.notes
        return Table(source.name, direct, source.levels, layout, (), notes)
    stamp = source.stamp
    if stamp is None:
        return _in_memory(source, geometry) if isinstance(source, ArraySource) else _in_file(source, geometry, folder)
    plain = cache_path(folder, [stamp, geometry.key])
    deep = cache_path(folder, [stamp, geometry.key, "depth", 8])
    for path in (plain, deep) if geometry.depth else (plain,):
        cached = read_cache(path)
        # Without deep files the depth that was asked for makes no difference; and what the system did not hand over
        # the last time it may now.
        if (
            cached is not None
            and not cached[1]["passing"]
            and (path == deep or not (geometry.depth and cached[1]["deep"]))
        ):
            return _from_record(source.name, *cached, path)
    path = deep if geometry.depth else plain
    write_cache(path, lambda keep: _record(source, geometry, keep))
    cached = read_cache(path)
    if cached is None:
        raise DataError(f"the cache {path} changed while it was written: check the disk or set NEXTPIXEL_CACHE")
    if path == deep and not cached[1]["deep"]:
        try:
            path = deep.replace(plain)
        except OSError as error:
            raise unwritable(folder, error) from error
    return _from_record(source.name, *cached, path)


def _is_almost_black(images: Stored, levels: int) -> bool:
    """Whether images of 256 levels hold nothing but 0 and 1; the first that is brighter ends the search."""
    brightest = 0
    for part in batches(len(images), 256) if levels == 256 else ():
        brightest = max(brightest, int(images[np.arange(part.start, part.stop)].max()))
        if brightest > 1:
            return False
    return brightest == 1


def _in_memory(source: Source, geometry: Geometry) -> Table:
    images: list[Pixels] = []
    seen = ingest(source, geometry, images.append)
    return Table(source.name, np.stack(images), source.levels, seen.layout, seen.skipped, seen.notes)


def _in_file(source: Source, geometry: Geometry, folder: Path) -> Table:
    """Read a source that nothing tells from another, once, into a file that is gone with this process."""
    temporary = TemporaryPixels(folder)
    try:
        with temporary.path.open("wb") as file:
            seen = ingest(source, geometry, lambda image: file.write(image.tobytes()))
        pixels = _mapped(temporary, seen.shape)
    except OSError as error:
        raise unwritable(folder, error) from error
    reopen = partial(_mapped, temporary, seen.shape)
    return Table(source.name, pixels, source.levels, seen.layout, seen.skipped, seen.notes, reopen_pixels=reopen)


class TemporaryPixels:
    """A file that is removed once nothing in the process that made it needs it; other processes may map it until then.

    Args:
        folder: where it lies.

    Raises:
        DataError: it cannot be made.
    """

    def __init__(self, folder: Path) -> None:
        try:
            make_folder(folder)
        except OSError as error:
            raise unwritable(folder, error) from error
        remove_leftovers(folder)
        stack = contextlib.ExitStack()
        self.path = stack.enter_context(hidden_name(folder / "once"))
        weakref.finalize(self, _remove, stack, os.getpid())

    def __reduce__(self) -> tuple[object, ...]:
        return _Borrowed, (self.path,)


@dataclass(frozen=True)
class _Borrowed:
    """The file of another process."""

    path: Path


def _remove(stack: contextlib.ExitStack, owner: int) -> None:
    # A forked process inherits the object but not the file.
    if os.getpid() == owner:
        stack.close()


def _mapped(file: TemporaryPixels | _Borrowed, shape: tuple[int, ...]) -> MappedPixels:
    """Map images that lie in a temporary file, `[N, *shape]`."""
    try:
        count = file.path.stat().st_size // math.prod(shape)
        return MappedPixels(file.path, 0, (count, *shape), remedy="open the images anew")
    except OSError as error:
        raise DataError(
            f"the images read by another process are gone with it ({error.strerror}): keep that process, or prepare"
            " them with nextpixel prepare"
        ) from error


def _cached_pixels(path: Path) -> MappedPixels:
    """Map the images of a cache that another process has opened."""
    cached = read_cache(path)
    if cached is None:
        raise DataError(f"the cache {path} is gone or damaged: open the images anew")
    return cached[0]


def _with_pixels(state: dict[str, Any]) -> Table:
    """Make a table anew from all but its pixels, in another process."""
    return Table(pixels=state["reopen_pixels"](), **state)


def _record(source: Source, geometry: Geometry, keep: Callable[[Pixels], object]) -> Record:
    """Read a source into a cache, and put all else that is known into a record that JSON can hold."""
    count = 0

    def count_and_keep(image: Pixels) -> None:
        nonlocal count
        count += 1
        keep(image)

    seen = ingest(source, geometry, count_and_keep)
    layout = seen.layout
    return {
        "shape": [count, *seen.shape],
        "levels": source.levels,
        "splits": layout.splits,
        "labels": None if layout.labels is None else layout.labels.tolist(),
        "label_names": layout.label_names,
        "labels_error": layout.labels_error,
        "vectors": None if layout.vectors is None else layout.vectors.tolist(),
        "vectors_error": layout.vectors_error,
        "names": layout.names,
        "order": None if layout.order is None else layout.order.tolist(),
        "skipped": seen.skipped,
        "notes": seen.notes,
        "deep": seen.deep,
        "passing": seen.passing,
    }


def _from_record(name: str, pixels: Stored, record: Record, path: Path) -> Table:
    """Make of a cache the table that `_record` was made of."""
    layout = Layout(
        splits=record["splits"],
        labels=None if record["labels"] is None else np.array(record["labels"], dtype=np.int64),
        label_names=None if record["label_names"] is None else tuple(record["label_names"]),
        vectors=None if record["vectors"] is None else np.array(record["vectors"], dtype=np.float32),
        names=None if record["names"] is None else tuple(record["names"]),
        order=None if record["order"] is None else np.array(record["order"], dtype=np.int64),
        labels_error=record["labels_error"],
        vectors_error=record["vectors_error"],
    )
    skipped = tuple((file, reason) for file, reason in record["skipped"])
    notes = tuple(record["notes"])
    reopen = partial(_cached_pixels, path)
    return Table(name, pixels, record["levels"], layout, skipped, notes, reopen_pixels=reopen)


def name_labels(layout: Layout, names: tuple[str, ...]) -> Layout:
    """Give names to labels that have none, where there are labels and enough names."""
    if layout.labels is None or layout.label_names is not None or layout.labels.max() >= len(names):
        return layout
    return replace(layout, label_names=names)

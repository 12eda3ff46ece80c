"""All images of a source under one roof: mapped pixels and what is known about them."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from nextpixel.data.cache import Record, cache_path, read_cache, unwritable, write_cache
from nextpixel.data.geometry import Geometry
from nextpixel.data.ingest import ingest
from nextpixel.data.source import Layout, Pixels, Source, Stored
from nextpixel.data.sources.arrays import ArraySource
from nextpixel.errors import DataError


@dataclass(frozen=True)
class Table:
    """The images of a whole source.

    Attributes:
        name: Short name of the source.
        pixels: uint8 ``[N, C, H, W]`` in the order stored; often mapped or read from files.
        levels: Levels of the stored integers.
        layout: How the images are arranged.
        skipped: Name and reason of each file left out.
        notes: Sentences for the user.
        vectors_error: Why the vectors that lie with the source cannot be used, or None.
        reopen: Makes the same table in another process, where mapped pixels cannot be sent.
        prepared: What `nextpixel.data.prepare` did to the images, by the names of its options.
        wishes: How the images were asked for, by the names of the options of `nextpixel.open_images`.
        digest: Tells the images and labels from all others where that is known without reading them, else None.
    """

    name: str
    pixels: Stored
    levels: int
    layout: Layout
    skipped: tuple[tuple[str, str], ...]
    notes: tuple[str, ...]
    vectors_error: str | None = None
    reopen: Callable[[], Table] | None = None
    prepared: dict[str, Any] = field(default_factory=dict)
    wishes: dict[str, Any] = field(default_factory=dict)
    digest: str | None = None

    def __reduce__(self) -> str | tuple[Any, ...]:
        # Pickling the pixels would copy the whole set to every worker; they map the same file instead.
        return super().__reduce__() if self.reopen is None else (self.reopen, ())


def load_table(source: Source, geometry: Geometry, folder: Path) -> Table:
    """Makes the images of a source available.

    Args:
        source: Where they come from.
        geometry: What to do to each.
        folder: Where caches lie.

    Returns:
        The table: the source's own array where nothing has to be done to it, else from the cache, which is
        built if need be.

    Raises:
        DataError: If the images cannot be read or the cache cannot be written.
    """
    direct = source.direct()
    if direct is not None and geometry.leaves(direct.shape[1:]):
        layout = source.layout([None] * len(direct), [])
        return Table(source.name, direct, source.levels, layout, (), layout.notes)
    stamp = source.stamp
    if stamp is None:
        return _in_memory(source, geometry) if isinstance(source, ArraySource) else _in_file(source, geometry, folder)
    path = cache_path(folder, [stamp, geometry.key])
    cached = read_cache(path)
    if cached is None:
        write_cache(path, lambda keep: _record(source, geometry, keep))
        cached = read_cache(path)
    if cached is None:
        raise DataError(f"the cache {path} changed while it was written: check the disk or set NEXTPIXEL_CACHE.")
    pixels, record = cached
    return _from_record(source.name, pixels, record)


def _in_memory(source: Source, geometry: Geometry) -> Table:
    images: list[Pixels] = []
    seen = ingest(source, geometry, images.append)
    return Table(source.name, np.stack(images), source.levels, seen.layout, seen.skipped, seen.notes)


def _in_file(source: Source, geometry: Geometry, folder: Path) -> Table:
    """Reads a source that nothing tells from another into a file that is gone with this process."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder) as file:
            seen = ingest(source, geometry, lambda image: file.write(image.tobytes()))
            file.flush()
            pixels = np.asarray(np.memmap(file, np.uint8, "r")).reshape(-1, *seen.shape)
    except OSError as error:
        raise unwritable(folder, error) from error
    return Table(source.name, pixels, source.levels, seen.layout, seen.skipped, seen.notes)


def _record(source: Source, geometry: Geometry, keep: Callable[[Pixels], object]) -> Record:
    """Reads a source into a cache, and puts all else that is known into a record that JSON can hold."""
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
        "vectors": None if layout.vectors is None else layout.vectors.tolist(),
        "names": layout.names,
        "order": None if layout.order is None else layout.order.tolist(),
        "skipped": seen.skipped,
        "notes": seen.notes,
    }


def _from_record(name: str, pixels: Pixels, record: Record) -> Table:
    """The other direction of `_record`."""
    layout = Layout(
        splits=record["splits"],
        labels=None if record["labels"] is None else np.array(record["labels"], dtype=np.int64),
        label_names=None if record["label_names"] is None else tuple(record["label_names"]),
        vectors=None if record["vectors"] is None else np.array(record["vectors"], dtype=np.float32),
        names=None if record["names"] is None else tuple(record["names"]),
        order=None if record["order"] is None else np.array(record["order"], dtype=np.int64),
    )
    skipped = tuple((file, reason) for file, reason in record["skipped"])
    return Table(name, pixels, record["levels"], layout, skipped, tuple(record["notes"]))


def name_labels(layout: Layout, names: tuple[str, ...]) -> Layout:
    """Gives names to labels that have none, where there are labels and enough names."""
    if layout.labels is None or layout.label_names is not None or layout.labels.max() >= len(names):
        return layout
    return replace(layout, label_names=names)

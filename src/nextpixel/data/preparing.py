"""`prepare`: any source of images as a folder of shards that opens at once and is read a batch at a time."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import IO, Literal

import numpy as np
from numpy.typing import NDArray

from nextpixel.data.cache import cache_folder
from nextpixel.data.find import find_source, known_label_names, vectors_for
from nextpixel.data.geometry import Geometry
from nextpixel.data.image_set import ImageSet
from nextpixel.data.ingest import ingest
from nextpixel.data.levels import Binarize, LevelTransform, plan
from nextpixel.data.open import open_images
from nextpixel.data.prepared.manifest import (
    LABELS,
    NAME_ENDS,
    NAMES,
    ORDER,
    VECTORS,
    Manifest,
    shard_name,
    write_manifest,
)
from nextpixel.data.prepared.reading import PreparedSource, file_digest
from nextpixel.data.prepared.shards import HEADER_BYTES
from nextpixel.data.prepared.stored_names import encode_names
from nextpixel.data.reading import merged_options
from nextpixel.data.source import Layout, Pixels
from nextpixel.data.table import name_labels
from nextpixel.errors import DataError
from nextpixel.runtime.atomic_files import check_new_folder, whole_folder
from nextpixel.runtime.batching import batches
from nextpixel.runtime.progress import SILENT, Progress

SHARD_MB = 256
BLOCK_BYTES = 1 << 22
"""Images are converted and written in blocks of so many bytes."""

MOST_SKIPPED = 1000
"""How many of the files that were left out are named in the manifest."""


def prepare(
    source: object,
    out: str | Path,
    *,
    levels: int | None = None,
    binarize: Binarize | None = None,
    seed: int = 0,
    resize: tuple[int, int] | None = None,
    mode: Literal["grey", "rgb"] | None = None,
    drop_alpha: bool = False,
    depth: Literal[8] | None = None,
    vectors: str | Path | NDArray[np.generic] | None = None,
    shard_mb: int = SHARD_MB,
    cache: str | Path | None = None,
    progress: Progress = SILENT,
) -> ImageSet:
    """Write images as a prepared set, which `nextpixel.open_images` opens at once.

    Images are read one after another and never held together, so that a source may be larger than memory; of a source
    of files the names are held. The folder is written whole or not at all.

    Args:
        source: whatever `nextpixel.open_images` takes; also a data set that can only be iterated over.
        out: an empty or a new folder, not inside the source.
        levels: as in `nextpixel.open_images`; here the result is stored.
        binarize: likewise; "dynamic" cannot be stored.
        seed: likewise.
        resize: likewise.
        mode: likewise.
        drop_alpha: likewise.
        depth: likewise.
        vectors: likewise.
        shard_mb: size of the files of images in units of 10^6 bytes, at least 1; a file holds at least one image.
        cache: likewise; sets known by name may lie there.
        progress: hears of the progress.

    Returns:
        The prepared set, opened.

    Raises:
        DataError: if the source cannot be read, its images do not fit together, or a wish cannot be met.
        InputError: if the folder is not new or cannot be written.
    """
    out, geometry, folder = (
        Path(out),
        Geometry(drop_alpha, mode, resize, depth if levels is None else 8),
        cache_folder(cache),
    )
    check_new_folder(out)
    if isinstance(source, str | Path) and Path(os.path.realpath(out)).is_relative_to(os.path.realpath(source)):
        raise DataError(f"{out} lies inside {source}: its files would become data; choose another folder")
    if not isinstance(shard_mb, int) or isinstance(shard_mb, bool) or not 1 <= shard_mb <= 1 << 20:
        raise DataError(f"the size of a shard is {shard_mb!r} and must be a whole number of megabytes from 1")
    if binarize == "dynamic":
        raise DataError(
            "dynamic binarisation draws anew at every use and cannot be stored: prepare the images without it and"
            " give it when they are used"
        )
    opened = find_source(source, folder)
    transform = plan(opened.levels, levels, binarize, seed, opened.name)
    options = {
        "levels": levels,
        # Images of two levels already are left as they are, whatever was asked.
        "binarize": transform.binarize,
        "seed": seed if transform.binarize == "stochastic" else None,
        "resize": resize,
        "mode": mode,
        "drop_alpha": drop_alpha or None,
        "depth": depth,
    }
    earlier = opened.manifest.options if isinstance(opened, PreparedSource) else {}
    with whole_folder(out) as new:
        writer = _Writer(new, shard_mb * 10**6, transform)
        with progress.task("preparing", opened.expected()) as advance, writer:

            def keep(image: Pixels) -> None:
                writer.append(image)
                advance(1)

            gathered = ingest(opened, geometry, keep)
        layout = name_labels(gathered.layout, known_label_names(source))
        layout = vectors_for(source, vectors, layout, writer.count, opened.name)
        if transform.binarize == "stochastic":
            _draw_bits(writer, layout, transform)
        _write_arrays(new, layout)
        notes = [*gathered.notes, *transform.notes]
        if layout.vectors_error is not None:
            notes.append(f"without vectors: {layout.vectors_error}")
        if len(gathered.skipped) > MOST_SKIPPED:
            notes.append(f"{len(gathered.skipped) - MOST_SKIPPED} more files were skipped")
        manifest = Manifest(
            name=opened.name,
            count=writer.count,
            shape=gathered.shape,
            levels=transform.served,
            shard_images=writer.shard_images,
            splits=layout.splits,
            label_names=layout.label_names,
            notes=tuple(notes),
            skipped=gathered.skipped[:MOST_SKIPPED],
            options=merged_options(earlier, {name: value for name, value in options.items() if value is not None}),
            files={path.name: (path.stat().st_size, file_digest(path)) for path in sorted(new.iterdir())},
        )
        write_manifest(new, manifest)
    return open_images(out)


class _Writer:
    """The shards being written, to which images are appended.

    Args:
        folder: where they go.
        shard_bytes: about how large they are.
        transform: what happens to the integers; a stochastic binarisation is left for later, since it depends on the
            final order.
    """

    def __init__(self, folder: Path, shard_bytes: int, transform: LevelTransform) -> None:
        self.folder = folder
        self.count = 0
        self.shard_images = 0
        self.shape: tuple[int, ...] = ()
        self._shard_bytes = shard_bytes
        self._transform = (
            replace(transform, served=transform.stored, binarize=None)
            if transform.binarize == "stochastic"
            else transform
        )
        self._block: list[Pixels] = []
        self._block_images = 0
        self._file: IO[bytes] | None = None

    def __enter__(self) -> _Writer:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None and self._block:
            self._flush()
        if kind is None and self._file is not None:
            self._end_shard()
        if self._file is not None:
            self._file.close()

    def append(self, image: Pixels) -> None:
        """Take one image `[C, H, W]`, all of one shape."""
        if not self.shard_images:
            self.shape = image.shape
            self.shard_images = shard_images_for(self._shard_bytes, image.size)
            self._block_images = min(self.shard_images, max(1, BLOCK_BYTES // image.size))
        self._block.append(image)
        if len(self._block) == self._block_images or (self.count + len(self._block)) % self.shard_images == 0:
            self._flush()

    def blocks(self) -> Iterator[tuple[np.memmap[tuple[int, ...], np.dtype[np.uint8]], slice]]:
        """Map block after block of the finished shards, to be changed; and which images it holds."""
        for number in range(-(-self.count // self.shard_images)):
            first = number * self.shard_images
            shape = (min(self.shard_images, self.count - first), *self.shape)
            for part in batches(shape[0], self._block_images):
                size = int(np.prod(self.shape))
                offset = HEADER_BYTES + part.start * size
                block_shape = (part.stop - part.start, *self.shape)
                path = self.folder / shard_name(number)
                yield np.memmap(path, np.uint8, "r+", offset, block_shape), slice(first + part.start, first + part.stop)

    def _flush(self) -> None:
        if self._file is None:
            self._file = (self.folder / shard_name(self.count // self.shard_images)).open("wb")
            self._file.write(bytes(HEADER_BYTES))
        block = np.stack(self._block)
        self._file.write(self._transform.apply(block, np.zeros(len(block), np.int64), 0).tobytes())
        self.count += len(block)
        self._block = []
        if self.count % self.shard_images == 0:
            self._end_shard()

    def _end_shard(self) -> None:
        """Write the header, now that the number of images is known, and close the file."""
        assert self._file is not None
        with self._file as file:
            self._file = None
            file.seek(0)
            images = (self.count - 1) % self.shard_images + 1
            file.write(_header((images, *self.shape)))


def shard_images_for(shard_bytes: int, image_bytes: int) -> int:
    """How many images a shard holds: at least one, however large it is."""
    return max(1, shard_bytes // image_bytes)


def _header(shape: tuple[int, ...]) -> bytes:
    """The header of an .npy file of uint8, always of the same length."""
    start = b"\x93NUMPY\x01\x00" + (HEADER_BYTES - 10).to_bytes(2, "little")
    text = f"{{'descr': '|u1', 'fortran_order': False, 'shape': {shape}, }}".encode()
    return start + text.ljust(HEADER_BYTES - 11) + b"\n"


def _draw_bits(writer: _Writer, layout: Layout, transform: LevelTransform) -> None:
    """Binarise the shards by chance: the bits of an image depend on its place in the final order."""
    places = np.arange(writer.count)
    if layout.order is not None:
        places[layout.order] = np.arange(writer.count)
    for block, part in writer.blocks():
        block[...] = transform.apply(block, places[part], 0)
        block.flush()


def _write_arrays(folder: Path, layout: Layout) -> None:
    """Write what lies beside the images."""
    arrays: dict[str, NDArray[np.generic]] = {}
    if layout.labels is not None:
        arrays[LABELS] = layout.labels
    if layout.vectors is not None:
        arrays[VECTORS] = layout.vectors
    if layout.order is not None and (layout.order != np.arange(len(layout.order))).any():
        arrays[ORDER] = layout.order
    if layout.names is not None:
        text, ends = encode_names(layout.names, len(layout.names))
        arrays |= {NAMES: np.frombuffer(text, np.uint8), NAME_ENDS: ends}
    for name, values in arrays.items():
        with (folder / name).open("wb") as file:
            np.lib.format.write_array(file, np.ascontiguousarray(values), version=(1, 0), allow_pickle=False)

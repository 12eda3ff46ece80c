"""A prepared set: the folder that `nextpixel.data.prepare` writes, opened at once whatever its size."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from nextpixel.data.geometry import Geometry
from nextpixel.data.labels import check_label_names, check_labels
from nextpixel.data.prepared.manifest import (
    LABELS,
    MANIFEST,
    NAME_ENDS,
    NAMES,
    ORDER,
    VECTORS,
    Manifest,
    read_manifest,
    shard_name,
)
from nextpixel.data.prepared.shards import HEADER_BYTES, Shards
from nextpixel.data.prepared.stored_names import StoredNames
from nextpixel.data.source import NO_LABEL, Layout, Picture, Rejected
from nextpixel.data.sources.numpy_files import read_header
from nextpixel.data.table import Table
from nextpixel.errors import DataError
from nextpixel.runtime.batching import batches
from nextpixel.runtime.progress import SILENT, Progress

READ_BYTES = 1 << 22

Number = TypeVar("Number", bound=np.generic)


class PreparedSource:
    """A prepared set as a source.

    Args:
        folder: where it lies.
        manifest: what its manifest says.
    """

    def __init__(self, folder: Path, manifest: Manifest) -> None:
        self.name = manifest.name
        self.levels = manifest.levels
        self.manifest = manifest
        self._folder = folder
        paths = [folder / name for name in manifest.shards]
        self._pixels = Shards(paths, manifest.shard_images, (manifest.count, *manifest.shape))

    @property
    def stamp(self) -> object:
        """The digest of the manifest."""
        return ["prepared", self.manifest.digest]

    def expected(self) -> int:
        """The number of images."""
        return self.manifest.count

    def direct(self) -> Shards:
        """The images, read when they are asked for."""
        return self._pixels

    def stream(self) -> Iterator[Picture | Rejected]:
        """Yield every image in the order stored, and what was left out when it was prepared."""
        for name, reason in self.manifest.skipped:
            yield Rejected(name, reason)
        size = max(1, READ_BYTES // int(np.prod(self.manifest.shape)))
        for part in batches(self.manifest.count, size):
            for image in self._pixels[np.arange(part.start, part.stop)]:
                yield Picture(None, image)

    def layout(self, kept: Sequence[str | None], rejected: Sequence[str]) -> Layout:  # noqa: ARG002 - see Source
        """What the files beside the images say."""
        return self._layout

    def table(self, geometry: Geometry) -> Table:
        """The set as a table.

        Raises:
            DataError: if the geometry would change the images, or the files beside them are damaged.
        """
        channels, height, width = self.manifest.shape
        if not geometry.leaves(self.manifest.shape):
            raise DataError(
                f"{self._folder} was prepared as images of {channels}x{height}x{width} and stays so: leave out"
                " --resize, --mode and --drop-alpha, or apply them once with nextpixel prepare"
            )
        manifest, layout = self.manifest, self._layout
        return Table(
            self.name,
            self._pixels,
            self.levels,
            layout,
            manifest.skipped,
            layout.notes,
            prepared=manifest.options,
            digest=manifest.digest,
        )

    @cached_property
    def _layout(self) -> Layout:
        manifest, where = self.manifest, str(self._folder)
        labels, order, names = self._array(LABELS, np.int64, 1), self._array(ORDER, np.int64, 1), None
        if labels is not None:
            # Images of a split without labels have NO_LABEL.
            check_labels(np.where(labels == NO_LABEL, 0, labels), manifest.count, f"{LABELS} in {where}")
        if manifest.label_names is not None:
            check_label_names(manifest.label_names, labels, f"{LABELS} in {where}")
        if order is not None and not 0 <= order.min() <= order.max() < manifest.count:
            raise DataError(f"{self._folder / ORDER} is damaged: fetch it anew, or prepare the set anew")
        text, ends = self._array(NAMES, np.uint8, 1, of_images=False), self._array(NAME_ENDS, np.int64, 1)
        if text is not None and ends is not None:
            names = StoredNames(text, ends, where)
        return Layout(
            splits=manifest.splits,
            labels=labels,
            label_names=manifest.label_names,
            vectors=self._array(VECTORS, np.float32, 2),
            names=names,
            order=order,
            notes=manifest.notes,
        )

    def _array(
        self, name: str, dtype: type[Number], dimensions: int, *, of_images: bool = True
    ) -> NDArray[Number] | None:
        """Read one of the small files, if the set has it."""
        if name not in self.manifest.files:
            return None
        path = self._folder / name
        with _reading(path), path.open("rb") as file:
            header = read_header(file, str(path))
        count = self.manifest.count if of_images else header.shape[0] if header.shape else 0
        size = int(np.prod(header.shape)) * np.dtype(dtype).itemsize + header.length
        fits = header.dtype == dtype and len(header.shape) == dimensions and header.shape[0] == count
        if not fits or header.fortran or size != self.manifest.files[name][0] or not all(header.shape):
            raise DataError(f"{path} is damaged: fetch it anew, or prepare the set anew")
        with _reading(path):
            count = math.prod(header.shape)
            numbers: NDArray[Number] = np.fromfile(path, dtype, count, offset=header.length)
        if len(numbers) < count:
            raise DataError(f"{path} is shorter than it was when it was opened: fetch it anew, or prepare the set anew")
        return numbers.reshape(header.shape)


def is_prepared(folder: Path) -> bool:
    """Whether a folder holds a prepared set, whole or damaged."""
    return (folder / shard_name(0)).is_file() or ((folder / MANIFEST).is_file() and _says_so(folder / MANIFEST))


def open_prepared(folder: Path) -> PreparedSource:
    """Open a prepared set; the lengths of its files are compared, their checksums are not.

    Raises:
        DataError: if a file is missing or has another length than the manifest says.
    """
    manifest = read_manifest(folder)
    for name, (size, _) in manifest.files.items():
        path = folder / name
        with _reading(path):
            actual = path.stat().st_size
        if actual != size:
            raise DataError(f"{path} has {actual} bytes and should have {size}: fetch it anew, or prepare the set anew")
    _check_shards(folder, manifest)
    return PreparedSource(folder, manifest)


def verify_prepared(folder: Path, progress: Progress = SILENT) -> Manifest:
    """Compare the SHA-256 of every file of a prepared set with its manifest.

    Args:
        folder: the prepared set.
        progress: hears of the progress.

    Returns:
        The manifest.

    Raises:
        DataError: naming the first file that is missing or damaged.
    """
    if not folder.is_dir() or not is_prepared(folder):
        raise DataError(f"{folder} is not a prepared set: name a folder that nextpixel prepare has written")
    manifest = open_prepared(folder).manifest
    with progress.task("checking files", len(manifest.files)) as advance:
        for name, (_, checksum) in manifest.files.items():
            if file_digest(folder / name) != checksum:
                raise DataError(
                    f"{folder / name} is damaged, its SHA-256 is not that of the manifest: fetch it anew, or prepare"
                    " the set anew"
                )
            advance(1)
    return manifest


def file_digest(path: Path) -> str:
    """SHA-256 of a file."""
    with _reading(path), path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _check_shards(folder: Path, manifest: Manifest) -> None:
    """Compare the headers of the files of images with the manifest."""
    for number, name in enumerate(manifest.shards):
        path = folder / name
        with _reading(path), path.open("rb") as file:
            header = read_header(file, str(path))
        count = min(manifest.shard_images, manifest.count - number * manifest.shard_images)
        shape = (count, *manifest.shape)
        size = HEADER_BYTES + int(np.prod(shape, dtype=object))
        sound = header.shape == shape and header.dtype == np.uint8 and not header.fortran
        if not sound or header.length != HEADER_BYTES or manifest.files[name][0] != size:
            raise DataError(f"{path} is damaged: fetch it anew, or prepare the set anew")


def _says_so(path: Path) -> bool:
    """Whether a file called manifest.json is one of ours; any other program may have written one."""
    try:
        with path.open("rb") as file:
            return b'"nextpixel prepared set"' in file.read(200)
    except OSError:
        return False


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise DataError(f"{path} cannot be read ({reason}): put it back, or prepare the set anew") from error

"""`manifest.json` of a prepared set: what the images are, what was done to them, and the checksum of every file."""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from nextpixel.data.levels import check_levels
from nextpixel.data.source import MAX_IMAGE_BYTES
from nextpixel.errors import DataError
from nextpixel.runtime.atomic_files import write_atomically

MANIFEST = "manifest.json"
FORMAT, VERSION = "nextpixel prepared set", 1
LABELS, VECTORS, ORDER, NAMES, NAME_ENDS = "labels.npy", "vectors.npy", "order.npy", "names.npy", "name-ends.npy"
ARRAYS = (LABELS, VECTORS, ORDER, NAMES, NAME_ENDS)
MOST_BYTES = 1 << 28
CHECKSUM = "sha256"


@dataclass(frozen=True)
class Manifest:
    """What is known about a prepared set without reading an image.

    Attributes:
        name: short name of the source.
        count: number of images.
        shape: `(C, H, W)` of each.
        levels: levels of the stored integers.
        shard_images: how many images a shard holds; the last one may hold fewer.
        splits: name and number of images of each split, in order.
        label_names: names of labels 0, 1, ..., or None.
        notes: what was done to the images, a phrase each.
        skipped: name and reason of files that were left out.
        options: the options of `nextpixel.data.prepare` that were not left at their defaults.
        files: length in bytes and SHA-256 of every other file.
    """

    name: str
    count: int
    shape: tuple[int, int, int]
    levels: int
    shard_images: int
    splits: dict[str, int]
    label_names: tuple[str, ...] | None
    notes: tuple[str, ...]
    skipped: tuple[tuple[str, str], ...]
    options: dict[str, object]
    files: dict[str, tuple[int, str]]

    @property
    def shards(self) -> list[str]:
        """Names of the files of images, in order."""
        return [shard_name(number) for number in range(-(-self.count // self.shard_images))]

    @property
    def digest(self) -> str:
        """Tell the images, labels and vectors from all others."""
        return _digest([self.count, self.shape, self.levels, self.splits, self.label_names, self.files])


def shard_name(number: int) -> str:
    """Name of a file of images."""
    return f"images-{number:05d}.npy"


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Write the manifest, with a checksum of its own."""
    record = {"format": FORMAT, "version": VERSION, **asdict(manifest)}
    text = json.dumps({**record, CHECKSUM: _digest(record)}, indent=1)
    write_atomically(folder / MANIFEST, f"{text}\n".encode())


def read_manifest(folder: Path) -> Manifest:
    """Read the manifest of a folder.

    Raises:
        DataError: if it is missing, damaged, or of another version.
    """
    path = folder / MANIFEST
    try:
        if path.stat().st_size > MOST_BYTES:
            raise ValueError
        record = json.loads(path.read_bytes())
        if not isinstance(record, dict) or record["format"] != FORMAT:
            raise ValueError
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error.strerror}): put it back, or prepare the set anew") from error
    except (ValueError, LookupError, RecursionError) as error:
        raise _damaged(path) from error
    if record.get("version") != VERSION:
        raise DataError(
            f"{path} is of version {record.get('version')!r} and this nextpixel reads {VERSION}: install the nextpixel"
            " that wrote it, or prepare the set anew"
        )
    try:
        checksum = record.pop(CHECKSUM)
        if _digest(record) != checksum:
            raise ValueError
        del record["format"], record["version"]
        return _checked(record)
    except (DataError, ValueError, TypeError, LookupError, AttributeError, OverflowError, RecursionError) as error:
        raise _damaged(path) from error


def _checked(record: dict[str, Any]) -> Manifest:
    """Build a manifest from what JSON held, or raise one of many errors."""
    names = record.pop("label_names")
    channels, height, width = map(_positive, record.pop("shape"))
    manifest = Manifest(
        shape=(channels, height, width),
        label_names=None if names is None else tuple(map(_text, names)),
        notes=tuple(map(_text, record.pop("notes"))),
        skipped=tuple((_text(name), _text(reason)) for name, reason in record.pop("skipped")),
        files={_text(name): (_positive(size), _text(sha)) for name, (size, sha) in record.pop("files").items()},
        **record,
    )
    _text(manifest.name)
    _positive(manifest.count)
    _positive(manifest.shard_images)
    check_levels(manifest.levels, "levels")
    sizes = [size for _, size in manifest.splits.items() if _positive(size)]
    fits = channels <= 4 and math.prod(manifest.shape) <= MAX_IMAGE_BYTES
    if not fits or (sizes and sum(sizes) != manifest.count) or not isinstance(manifest.options, dict):
        raise ValueError
    expected = set(manifest.files) - set(ARRAYS)
    if -(-manifest.count // manifest.shard_images) != len(expected) or expected != set(manifest.shards):
        raise ValueError
    if (NAMES in manifest.files) != (NAME_ENDS in manifest.files):
        raise ValueError
    return manifest


def _positive(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise ValueError
    return value


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError
    return value


def _digest(record: object) -> str:
    return hashlib.sha256(json.dumps(record, sort_keys=True).encode()).hexdigest()


def _damaged(path: Path) -> DataError:
    return DataError(f"{path} is damaged: fetch it anew, or prepare the set anew")

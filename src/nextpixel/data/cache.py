"""Decoded images on disk, mapped into memory: one file a source and geometry.

The file is the pixels, then a JSON record, then a footer of fixed size that says how long both are. It is
written under a temporary name and renamed when complete, so a reader sees all of it or nothing, and two
processes that build the same one at once merely do the work twice. Checksums reveal later damage.
"""

from __future__ import annotations

import hashlib
import json
import os
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from platformdirs import user_cache_path

from nextpixel.data.mapped import MappedPixels
from nextpixel.data.source import Pixels
from nextpixel.errors import DataError
from nextpixel.runtime.atomic_files import make_folder, remove_leftovers, replacing

VERSION = 3
FOOTER = struct.Struct("<8sQQI")
MAGIC = b"npxcache"
BLOCK = 1 << 24
MAX_BLOCKS_CHECKED = 64
"""Checksums are kept for blocks of 16 MiB; of caches beyond 1 GiB evenly spaced blocks are compared."""

Record = dict[str, Any]


def cache_folder(folder: str | Path | None) -> Path:
    """Where caches lie: as given, else `$NEXTPIXEL_CACHE`, else where the operating system has caches."""
    if folder is not None:
        return Path(folder)
    if folder_of_user := os.environ.get("NEXTPIXEL_CACHE"):
        return Path(folder_of_user)
    return user_cache_path("nextpixel", appauthor=False)


def cache_path(folder: Path, key: object) -> Path:
    """The file that belongs to a key, which is anything JSON can hold."""
    text = json.dumps([VERSION, key])
    return folder / f"{hashlib.blake2b(text.encode(), digest_size=16).hexdigest()}.pixels"


def read_cache(path: Path) -> tuple[MappedPixels, Record] | None:
    """Map a cache into memory.

    Returns:
        uint8 `[N, C, H, W]` in the order written and the record, or None if there is no sound cache.
    """
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            file.seek(max(0, size - FOOTER.size))
            footer = file.read(FOOTER.size)
            if len(footer) < FOOTER.size:
                return None
            magic, pixel_bytes, record_bytes, checksum = FOOTER.unpack(footer)
            if magic != MAGIC or pixel_bytes + record_bytes + FOOTER.size != size:
                return None
            file.seek(pixel_bytes)
            text = file.read(record_bytes)
        if zlib.crc32(text) != checksum:
            return None
        record: Record = json.loads(text)
        pixels = MappedPixels(path, 0, tuple(record["shape"]), remedy="open the images anew")
        return (pixels, record) if _is_sound(pixels, record["checksums"]) else None
    except (OSError, DataError):
        return None


def write_cache(path: Path, fill: Callable[[Callable[[Pixels], object]], Record]) -> None:
    """Build a cache.

    Args:
        path: where it goes.
        fill: is given a function that appends one image, calls it for each, and returns the record, which
            must hold under `shape` the shape of all of them.

    Raises:
        DataError: it cannot be written, or whatever `fill` raises.
    """
    try:
        make_folder(path.parent)
        remove_leftovers(path.parent)
        with replacing(path) as file:
            writer = _Writer(file.write)
            record = fill(writer.append)
            writer.finish(record)
    except OSError as error:
        # Sources turn their own failures to read into DataError, so this one is a failure to write.
        raise unwritable(path.parent, error) from error


class _Writer:
    """A cache being written, to which images are appended, with a checksum of each block."""

    def __init__(self, write: Callable[[bytes], object]) -> None:
        self._write = write
        self._block = bytearray()
        self._checksums: list[int] = []
        self._written = 0

    def append(self, image: Pixels) -> None:
        self._block += image.tobytes()
        while len(self._block) >= BLOCK:
            self._flush(BLOCK)

    def finish(self, record: Record) -> None:
        if self._block:
            self._flush(len(self._block))
        text = json.dumps({**record, "checksums": self._checksums}).encode()
        self._write(text + FOOTER.pack(MAGIC, self._written, len(text), zlib.crc32(text)))

    def _flush(self, size: int) -> None:
        block = bytes(self._block[:size])
        del self._block[:size]
        self._checksums.append(zlib.crc32(block))
        self._write(block)
        self._written += size


def _is_sound(pixels: MappedPixels, checksums: list[int]) -> bool:
    def checksum(block: int) -> int:
        return pixels.look(lambda array: zlib.crc32(array.reshape(-1)[block * BLOCK : (block + 1) * BLOCK].data))

    step = -(-len(checksums) // MAX_BLOCKS_CHECKED)
    return all(checksum(block) == checksums[block] for block in range(0, len(checksums), step))


def unwritable(folder: Path, error: OSError) -> DataError:
    """The error of a folder of caches that cannot be written."""
    return DataError(
        f"the cache folder {folder} cannot be written ({error.strerror or error}):"
        " set NEXTPIXEL_CACHE to a folder with room that can"
    )

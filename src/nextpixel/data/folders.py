"""Image files on disk: a folder of them, or a single one."""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from nextpixel.data.entries import Entry, Unusable, check_size, is_wanted
from nextpixel.data.files import FileSource
from nextpixel.errors import DataError


def open_folder(path: Path) -> FileSource:
    """Lists a folder and everything below it; nothing is read yet.

    Raises:
        DataError: If a folder cannot be listed.
    """
    try:
        listing = sorted(_walk(path))
    except OSError as error:
        raise DataError(f"{path} cannot be listed ({error.strerror}): check that it may be read.") from error
    stamp = ["folder", str(path.resolve()), listing]
    return FileSource(path.resolve().name, str(path), stamp, lambda: _entries(path, [row[0] for row in listing]))


def open_file(path: Path) -> FileSource:
    """Takes a single image file as a set of one."""
    stamp = ["file", *file_stamp(path)]
    return FileSource(path.name, str(path), stamp, lambda: _entries(path.parent, [path.name]))


def file_stamp(path: Path) -> list[object]:
    """What changes whenever a file does: its place, size and time of change."""
    try:
        status = path.stat()
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error.strerror}): check that it is there.") from error
    return [str(path.resolve()), status.st_size, status.st_mtime_ns]


def _walk(root: Path) -> Iterator[tuple[str, int, int]]:
    """Yields name, size and time of change of each file that matters.

    Links to folders are followed, as data sets are often linked together, but never back into a folder that
    lies above: `above` holds the device and inode of each.
    """
    pending: list[tuple[str, frozenset[tuple[int, int]]]] = [("", frozenset())]
    while pending:
        prefix, above = pending.pop()
        status = (root / prefix).stat()
        here = (status.st_dev, status.st_ino)
        if here in above:
            continue
        with os.scandir(root / prefix) as entries:
            for entry in entries:
                name = prefix + entry.name
                if entry.is_dir():
                    if not entry.name.startswith("."):
                        pending.append((name + "/", above | {here}))
                elif is_wanted(name) and entry.is_file():
                    status = entry.stat()
                    yield name, status.st_size, status.st_mtime_ns


def _entries(folder: Path, names: list[str]) -> Iterator[Entry]:
    for name in names:
        yield Entry(name, partial(_read, folder / name))


def _read(path: Path) -> bytes:
    try:
        check_size(path.stat().st_size)
        return path.read_bytes()
    except OSError as error:
        raise Unusable(f"cannot be read ({error.strerror})") from error

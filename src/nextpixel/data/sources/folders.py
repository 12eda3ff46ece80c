"""Image files on disk: a folder of them, or a single one."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from nextpixel.data.entries import Entry, Unreachable, check_size, is_image, is_wanted
from nextpixel.data.sources.image_files import FileSource
from nextpixel.errors import DataError

Above = frozenset[tuple[int, int]]


def open_folder(path: Path) -> FileSource:
    """Takes a folder and everything below it; nothing is listed or read yet."""
    return FileSource(
        path.resolve().name,
        str(path),
        lambda: ["folder", str(path.resolve()), _digest(path)],
        lambda: _entries(path, _names(path)),
        lambda: sum(map(is_image, _names(path))),
    )


def open_file(path: Path) -> FileSource:
    """Takes a single image file as a set of one."""
    return FileSource(
        path.name,
        str(path),
        lambda: ["file", *file_stamp(path)],
        lambda: _entries(path.parent, [path.name]),
        lambda: 1,
    )


def file_stamp(path: Path) -> list[object]:
    """What changes whenever a file does: its place, what the system tells it by, its size and times of change.

    Names, sizes and dates alone do not do: whoever unpacks an archive or copies with dates gives the new file the old
    ones. The time of the last change of the inode cannot be set.
    """
    try:
        status = path.stat()
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error.strerror}): check that it is there.") from error
    return [str(path.resolve()), status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns]


def _digest(root: Path) -> str:
    """What changes whenever a file of a folder does: as `file_stamp`, of all files, in a few bytes."""
    digest = hashlib.blake2b(digest_size=16)
    with _listing(root):
        for name in _names(root):
            status = os.stat(f"{root}/{name}")  # noqa: PTH116 - millions of path objects take longer than the system
            line = f"{name}\0{status.st_ino}\0{status.st_size}\0{status.st_mtime_ns}\0{status.st_ctime_ns}\0"
            digest.update(line.encode(errors="surrogateescape"))
    return digest.hexdigest()


def _names(root: Path) -> Iterator[str]:
    """Yields the names of the files that matter, sorted; what is in memory at once is no more than a folder's names.

    Links to folders are followed, as data sets are often linked together, but never back into a folder that
    lies above: `above` holds the device and inode of each.
    """
    pending = [iter(_listed(root, "", frozenset()))]
    while pending:
        found = next(pending[-1], None)
        if found is None:
            pending.pop()
        elif isinstance(found, str):
            yield found
        else:
            pending.append(iter(_listed(root, *found)))


def _listed(root: Path, prefix: str, above: Above) -> list[str | tuple[str, Above]]:
    """The files that matter of one folder and the folders in it, sorted as their full names are."""
    files, folders = [], set()
    with _listing(root):
        status = (root / prefix).stat()
        here = (status.st_dev, status.st_ino)
        if here in above:
            return []
        with os.scandir(root / prefix) as entries:
            for entry in entries:
                name = prefix + entry.name
                if is_wanted(name) and entry.is_file():
                    files.append(name)
                elif not entry.name.startswith(".") and entry.is_dir():
                    # With the slash, "a/b" sorts among "a-b" and "a.png" as it does in a sorted list of all names.
                    folders.add(f"{name}/")
    return [(name, above | {here}) if name in folders else name for name in sorted([*files, *folders])]


@contextmanager
def _listing(root: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise DataError(f"{root} cannot be listed ({error.strerror}): check that it may be read.") from error


def _entries(folder: Path, names: Iterable[str]) -> Iterator[Entry]:
    for name in names:
        yield Entry(name, partial(_read, folder / name))


def _read(path: Path) -> bytes:
    try:
        check_size(path.stat().st_size)
        return path.read_bytes()
    except OSError as error:
        raise Unreachable(f"cannot be read ({error.strerror})") from error

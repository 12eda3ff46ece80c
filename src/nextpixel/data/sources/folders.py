"""Image files on disk: a folder of them, or a single one."""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from nextpixel.data.entries import (
    SYSTEM_FOLDERS,
    Entry,
    Unreachable,
    check_size,
    is_image,
    is_set_apart,
    is_wanted,
    passed_over,
)
from nextpixel.data.sources.image_files import FileSource
from nextpixel.errors import DataError

Above = frozenset[tuple[int, int]]


def open_folder(path: Path) -> FileSource:
    """Take a folder and everything below it; nothing is listed or read yet."""
    return FileSource(
        path.resolve().name,
        str(path),
        lambda: ["folder", str(path.resolve()), _digest(path)],
        lambda passed: _entries(path, file_names(path, passed)),
        lambda: sum(map(is_image, file_names(path, Counter()))),
    )


def open_file(path: Path) -> FileSource:
    """Take a single image file as a set of one."""
    return FileSource(
        path.name,
        str(path),
        lambda: ["file", *file_stamp(path)],
        lambda _: _entries(path.parent, [path.name]),
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
        raise DataError(f"{path} cannot be read ({error.strerror}): check that it is there") from error
    return [str(path.resolve()), status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns]


def _digest(root: Path) -> str:
    """What changes whenever a file of a folder does: as `file_stamp`, of all files, in a few bytes."""
    digest = hashlib.blake2b(digest_size=16)
    with _listing(root):
        passed: Counter[str] = Counter()
        for name in file_names(root, passed):
            status = _status(f"{root}/{name}")
            line = f"{name}\0{status.st_ino}\0{status.st_size}\0{status.st_mtime_ns}\0{status.st_ctime_ns}\0"
            digest.update(line.encode(errors="surrogateescape"))
        digest.update(repr(sorted(passed.items())).encode())
    return digest.hexdigest()


def _status(path: str) -> os.stat_result:
    """What the system says of a file; of a link that leads nowhere, what it says of the link."""
    try:
        return os.stat(path)  # noqa: PTH116 - millions of path objects take longer than the system
    except FileNotFoundError:
        return os.lstat(path)


def file_names(root: Path, passed: Counter[str]) -> Iterator[str]:
    """Yield the names of the files that matter, sorted; what is in memory at once is no more than a folder's names.

    Links to folders are followed, as data sets are often linked together, but never back into a folder that
    lies above: `above` holds the device and inode of each. Links that lead nowhere are named, so that somebody misses
    them.

    Args:
        root: the folder.
        passed: counts the files that were passed over; see `nextpixel.data.entries.passed_over`.
    """
    pending = [iter(_listed(root, "", frozenset(), passed))]
    while pending:
        item = next(pending[-1], None)
        if item is None:
            pending.pop()
        elif isinstance(item, str):
            yield item
        else:
            pending.append(iter(_listed(root, *item, passed)))


def _listed(root: Path, prefix: str, above: Above, passed: Counter[str]) -> list[str | tuple[str, Above]]:
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
                # The folders above were looked at before they were gone into.
                if is_wanted(entry.name) and (entry.is_file() or (entry.is_symlink() and not entry.is_dir())):
                    files.append(name)
                elif entry.is_dir():
                    if entry.name in SYSTEM_FOLDERS:
                        passed[f"folder {entry.name}"] += 1
                    elif not is_set_apart(entry.name):
                        # With the slash, "a/b" sorts among "a-b" and "a.png" as it does in a sorted list of all names.
                        folders.add(f"{name}/")
                elif (kind := "no regular file" if is_wanted(entry.name) else passed_over(name)) is not None:
                    passed[kind] += 1
    return [(name, above | {here}) if name in folders else name for name in sorted([*files, *folders])]


@contextmanager
def _listing(root: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise DataError(f"{root} cannot be listed ({error.strerror}): check that it may be read") from error


def _entries(folder: Path, names: Iterable[str]) -> Iterator[Entry]:
    for name in names:
        yield Entry(name, partial(read_file, folder / name))


def read_file(path: Path) -> bytes:
    """Read a whole file.

    Raises:
        Unusable: it is too large, or the system does not hand it over.
    """
    try:
        check_size(path.stat().st_size)
        return path.read_bytes()
    except OSError as error:
        if path.is_symlink() and not path.exists():
            raise Unreachable("is a link to a file that is not there: fetch that file, or remove the link") from error
        raise Unreachable(f"cannot be read ({error.strerror})") from error

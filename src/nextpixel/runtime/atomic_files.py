"""Writing files so that nobody ever meets a part of one, and what was reported as written outlasts a power failure.

What is written has a hidden name at first, goes to the disk, and takes its place only then; and since the place is an
entry of a folder, the folder goes to the disk too before anybody is told. The hidden name says which process of which
machine writes, so that a later one can remove what a killed one left.
"""

from __future__ import annotations

import os
import re
import secrets
import shutil
import socket
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

import psutil

from nextpixel.errors import InputError
from nextpixel.runtime.distributed import current

MOST_NAME = 50
"""Characters of a name that its hidden name repeats, which must not become too long for a file system."""

HIDDEN = re.compile(r"\..*\.([0-9a-f]{8})-([0-9]+)-([0-9a-f]{8})\.part", re.DOTALL)
_MACHINE = f"{zlib.crc32(socket.gethostname().encode()):08x}"
_unfinished: set[str] = set()
"""Tokens in the hidden names of what this process is writing."""

_whole_folders: set[Path] = set()
"""Hidden folders of this process that go to the disk as a whole."""


def write_atomically(path: Path, data: bytes) -> None:
    """Replace a file by `data` so that a reader, or a crash, meets the old or the new one, never a part.

    Raises:
        OSError: the folder cannot be written or is full; the old file is then still there.
    """
    with replacing(path) as file:
        file.write(data)


@contextmanager
def replacing(path: Path) -> Iterator[IO[bytes]]:
    """A file that takes the place of another one when the block ends, and is gone if it ends by an error.

    Raises:
        OSError: see `write_atomically`.
    """
    with hidden_name(path) as temporary:
        handle = os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY | getattr(os, "O_BINARY", 0), 0o644)
        with os.fdopen(handle, "wb") as file:
            yield file
            file.flush()
            if not _goes_with_folder(path):
                os.fsync(file.fileno())
        temporary.replace(path)
        if not _goes_with_folder(path):
            sync_folder(path.parent)


@contextmanager
def hidden_name(path: Path) -> Iterator[Path]:
    """A name beside `path` for what is to take its place; what still has it when the block ends is removed."""
    token = secrets.token_hex(4)
    temporary = path.with_name(f".{path.name[:MOST_NAME]}.{_MACHINE}-{os.getpid()}-{token}.part")
    _unfinished.add(token)
    try:
        yield temporary
    finally:
        _remove(temporary)
        _unfinished.discard(token)


def remove_leftovers(folder: Path, *, alone: bool = False) -> None:
    """Remove what killed processes were writing in a folder.

    Args:
        folder: where; it need not exist.
        alone: whether nobody else can be writing there; else what other machines may be writing stays.
    """
    # A leftover that cannot be removed does no harm, and whoever comes here has other things to do.
    with suppress(OSError):
        for path in folder.iterdir():
            match = HIDDEN.fullmatch(path.name)
            if match is not None and not _is_being_written(match[1], int(match[2]), match[3], alone=alone):
                _remove(path)


def _is_being_written(machine: str, process: int, token: str, *, alone: bool) -> bool:
    """Whether what has a hidden name belongs to a living process."""
    if (machine, process) == (_MACHINE, os.getpid()):
        return token in _unfinished
    return not alone and (machine != _MACHINE or psutil.pid_exists(process))


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def sync_folder(folder: Path) -> None:
    """Bring the names in a folder to the disk: what was created, renamed and removed there."""
    if os.name == "nt":
        # Windows cannot; it keeps a journal of names.
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def make_folder(folder: Path) -> None:
    """Create a folder, and those above it, so that they outlast a power failure."""
    missing = [place for place in (folder, *folder.parents) if not place.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    for place in reversed(missing):
        sync_folder(place.parent)


def _sync_tree(folder: Path) -> None:
    """Bring all that a folder holds to the disk."""
    for path, _, names in os.walk(folder, topdown=False):
        for name in names:
            with Path(path, name).open("rb+") as file:
                os.fsync(file.fileno())
        sync_folder(Path(path))


def _goes_with_folder(path: Path) -> bool:
    """Whether a file is in a folder that goes to the disk as a whole."""
    return not _whole_folders.isdisjoint(path.parents)


def check_new_folder(path: Path) -> None:
    """Refuse, before any work is done, a folder that is not new or empty.

    Raises:
        InputError: it is a file, or holds files already.
    """
    remove_leftovers(path.parent)
    if path.is_file() or (path.is_dir() and any(path.iterdir())):
        raise InputError(f"{path} is a file, or a folder that holds files already; choose an empty or a new folder")


@contextmanager
def whole_folder(path: Path) -> Iterator[Path]:
    """A folder to write to that takes its place, a new or an empty one, when the block ends without an error.

    Where several processes do a command together, the first one writes, and what the others write is dropped.

    Raises:
        InputError: it cannot be written.
    """
    try:
        make_folder(path.parent)
        with hidden_name(path) as folder:
            folder.mkdir()
            _whole_folders.add(folder)
            try:
                yield folder
            finally:
                _whole_folders.discard(folder)
            if not current().first:
                return
            _sync_tree(folder)
            if path.is_dir():
                path.rmdir()
            folder.replace(path)
            sync_folder(path.parent)
    except OSError as error:
        raise InputError(f"{path} cannot be written ({error.strerror}); choose another place") from error


def write_result(path: Path, data: bytes) -> None:
    """Write a file that a user asked for, whole or not at all, and the folders above it.

    Raises:
        InputError: it cannot be written.
    """
    with writing_result(path) as file:
        file.write(data)


@contextmanager
def writing_result(path: Path) -> Iterator[IO[bytes]]:
    """Likewise, bit by bit: a file to write to, which appears under its name when the block ends without an error.

    Where several processes do a command together, the first one writes, and what the others write is dropped.

    Raises:
        InputError: it cannot be written.
    """
    if not current().first:
        with Path(os.devnull).open("wb") as nothing:
            yield nothing
        return
    try:
        make_folder(path.parent)
        with replacing(path) as file:
            yield file
    except OSError as error:
        raise InputError(f"{path} cannot be written ({error.strerror}); choose another place") from error

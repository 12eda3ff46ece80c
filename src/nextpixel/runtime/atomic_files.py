"""Writing files so that nobody ever meets a part of one."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from nextpixel.errors import InputError
from nextpixel.runtime.distributed import current


def write_atomically(path: Path, data: bytes) -> None:
    """Replace a file by `data` so that a reader, or a crash, meets the old or the new one, never a part.

    Raises:
        OSError: the folder cannot be written or is full; the old file is then still there.
    """
    with _replacing(path) as file:
        file.write(data)


@contextmanager
def _replacing(path: Path) -> Iterator[IO[bytes]]:
    """A file that takes the place of another one when the block ends, and is gone if it ends by an error."""
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).chmod(0o644)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def check_new_folder(path: Path) -> None:
    """Refuse, before any work is done, a folder that is not new or empty.

    Raises:
        InputError: it is a file, or holds files already.
    """
    if path.is_file() or (path.is_dir() and any(path.iterdir())):
        raise InputError(f"{path} is a file, or a folder that holds files already; choose an empty or a new folder")


@contextmanager
def whole_folder(path: Path) -> Iterator[Path]:
    """A folder to write to that takes its place, a new or an empty one, when the block ends without an error.

    Raises:
        InputError: it cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=path.parent, prefix=f".{path.name[:100]}.") as temporary:
            folder = Path(temporary) / "folder"
            folder.mkdir()
            yield folder
            if path.is_dir():
                path.rmdir()
            folder.replace(path)
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
        path.parent.mkdir(parents=True, exist_ok=True)
        with _replacing(path) as file:
            yield file
    except OSError as error:
        raise InputError(f"{path} cannot be written ({error.strerror}); choose another place") from error

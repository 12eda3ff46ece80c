"""Image files in a .zip or .tar archive, read in place: nothing is ever extracted to disk.

Member names serve as names only, so one that points outside the archive can do no harm.
"""

from __future__ import annotations

import bz2
import contextlib
import gzip
import lzma
import posixpath
import stat
import struct
import tarfile
import zipfile
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import IO, Self, cast

from nextpixel.data.entries import Entry, Unusable, check_size, is_metadata, is_wanted, passed_over
from nextpixel.data.sources.folders import file_stamp
from nextpixel.data.sources.image_files import FileSource
from nextpixel.errors import DataError

ARCHIVE_ERRORS = (
    OSError,
    EOFError,
    ValueError,
    LookupError,
    OverflowError,
    MemoryError,
    RuntimeError,
    struct.error,
    zlib.error,
    lzma.LZMAError,
    zipfile.BadZipFile,
    zipfile.LargeZipFile,
    tarfile.TarError,
)
"""Everything zipfile, tarfile and the decompressors raise on damaged or unsupported archives."""

MIN_EXPANDED_BYTES = 1 << 30
MAX_EXPANSION = 200
"""A compressed tar may expand to this many times its size (or to 1 GiB): image files hardly compress."""

FREE_TABLE_BYTES, MOST_TABLE_EXPANSION = 1 << 24, 50
"""A table of labels in an archive may have so many bytes, or so many times those of the archive."""

MOST_HEADER_BYTES = 1 << 20
"""Of the long names and attributes that a tar has before a member, and of those that hold for all its members."""

HEADER_TYPES = {
    tarfile.GNUTYPE_LONGNAME,
    tarfile.GNUTYPE_LONGLINK,
    tarfile.XHDTYPE,
    tarfile.XGLTYPE,
    tarfile.SOLARIS_XHDTYPE,
}

ENCRYPTED = 0x1
OPENERS: dict[bytes, Callable[[Path], object]] = {
    b"\x1f\x8b": gzip.open,
    b"BZh": bz2.open,
    b"\xfd7zXZ\x00": lzma.open,
}


def open_zip(path: Path) -> FileSource:
    """Take the members of a zip archive as a source."""
    return FileSource(
        path.name, str(path), lambda: ["zip", *file_stamp(path)], lambda passed: _zip_entries(path, passed)
    )


def open_tar(path: Path) -> FileSource:
    """Take the members of a tar archive, plain or compressed by gzip, bzip2 or xz, as a source."""
    return FileSource(
        path.name, str(path), lambda: ["tar", *file_stamp(path)], lambda passed: _tar_entries(path, passed)
    )


@contextlib.contextmanager
def archive_errors(path: Path) -> Iterator[None]:
    """Turn whatever a damaged archive makes the libraries raise into `DataError`."""
    try:
        yield
    except ARCHIVE_ERRORS as error:
        reason = " ".join(str(error).split())[:120] or type(error).__name__
        raise DataError(f"{path} is damaged or not a readable archive ({reason}): make or fetch it anew") from error


@contextlib.contextmanager
def zip_reader(path: Path) -> Iterator[zipfile.ZipFile]:
    """Open a zip archive.

    Raises:
        DataError: if it is damaged or encrypted.
    """
    with archive_errors(path):
        archive = zipfile.ZipFile(path)
    with archive:
        for info in archive.infolist():
            if info.flag_bits & ENCRYPTED:
                raise DataError(f"{info.filename} in {path} is encrypted: make an archive without a password")
        yield archive


def _zip_entries(path: Path, passed: Counter[str]) -> Iterator[Entry]:
    with zip_reader(path) as archive:
        for info in archive.infolist():
            name = _clean(info.filename)
            # Of a damaged archive a name may be empty, which `is_dir` does not expect.
            if not info.filename or info.is_dir():
                continue
            if is_wanted(name):
                is_link = stat.S_ISLNK(info.external_attr >> 16)
                yield Entry(name, _refuse_link if is_link else partial(_read_zip, path, archive, info))
            elif (kind := passed_over(name)) is not None:
                passed[kind] += 1


def _check_member(path: Path, name: str, size: int) -> None:
    """Raise `Unusable` for a member that is too large to be read, or a table far larger than its archive."""
    check_size(size)
    if is_metadata(name) and size > max(FREE_TABLE_BYTES, MOST_TABLE_EXPANSION * path.stat().st_size):
        raise Unusable(f"expands to {size} bytes, far more than a table of the images would have")


def _read_zip(path: Path, archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> bytes:
    _check_member(path, info.filename, info.file_size)
    try:
        return archive.read(info)
    except ARCHIVE_ERRORS as error:
        raise Unusable(f"is damaged in the archive ({' '.join(str(error).split())[:120]})") from error


def _tar_entries(path: Path, passed: Counter[str]) -> Iterator[Entry]:
    """Walk a tar from front to back, once; going back in a compressed one would start over each time."""
    with archive_errors(path), contextlib.ExitStack() as stack:
        with path.open("rb") as file:
            start = file.read(6)
        opener = next((opener for magic, opener in OPENERS.items() if start.startswith(magic)), None)
        raw = cast(IO[bytes], opener(path) if opener else path.open("rb"))
        stack.enter_context(raw)
        limit = max(MIN_EXPANDED_BYTES, MAX_EXPANSION * path.stat().st_size)
        limited = cast(IO[bytes], _Limited(raw, limit))
        archive = stack.enter_context(tarfile.open(fileobj=limited, mode="r|", tarinfo=_StrictTarInfo))
        while (member := archive.next()) is not None:
            name = _clean(member.name)
            if is_wanted(name) and (member.isreg() or member.issym() or member.islnk()):
                yield Entry(name, partial(_read_tar, path, archive, member) if member.isreg() else _refuse_link)
            elif not member.isdir() and (kind := passed_over(name)) is not None:
                passed[kind] += 1
            # tarfile remembers every member it has seen; a stream never goes back to one.
            archive.members = []  # type: ignore[attr-defined]
            if sum(len(key) + len(value) for key, value in archive.pax_headers.items()) > MOST_HEADER_BYTES:
                raise tarfile.ReadError("its attributes are far larger than those of images")
        # Read to its very end a compressed stream compares its checksum, and shows if it was cut short.
        while limited.read(1 << 16):
            pass


def _refuse_link() -> bytes:
    raise Unusable("is a link in the archive: unpack it, or pack it with tar --dereference --hard-dereference")


def _read_tar(path: Path, archive: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    _check_member(path, member.name, member.size)
    with archive_errors(path):
        content = archive.extractfile(member)
        return content.read() if content is not None else b""


def _clean(name: str) -> str:
    """The name of a member with forward slashes and without `./`, `../` or a leading slash."""
    return posixpath.normpath("/" + name.replace("\\", "/")).lstrip("/")


class _Limited:
    """A stream that refuses to yield more bytes than a source of this size plausibly holds."""

    def __init__(self, stream: IO[bytes], limit: int) -> None:
        self._stream = stream
        self._left = limit

    def read(self, size: int) -> bytes:
        data = self._stream.read(size)
        self._left -= len(data)
        if self._left < 0:
            raise tarfile.ReadError("it expands to far more than image files would")
        return data


class _StrictTarInfo(tarfile.TarInfo):
    """A header whose damage is an error: tarfile takes it for the end of the archive and loses images."""

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> Self:
        try:
            header = super().frombuf(buf, encoding, errors)
        except tarfile.HeaderError as error:
            if not any(buf):
                raise  # nothing but zeros is how an archive properly ends
            raise tarfile.ReadError(f"a member has a damaged header: {error}") from error
        if header.type in HEADER_TYPES and header.size > MOST_HEADER_BYTES:
            raise tarfile.ReadError(f"the name or the attributes of a member have {header.size} bytes")
        return header

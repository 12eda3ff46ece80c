"""NumPy's .npy and .npz files, read without pickles and without believing what their headers declare."""

from __future__ import annotations

import io
import math
import tokenize
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Literal
from zipfile import ZipFile

import numpy as np
from numpy.typing import NDArray

from nextpixel.data.levels import check_levels
from nextpixel.data.mapped import MappedPixels
from nextpixel.data.source import Pixels
from nextpixel.data.sources.archives import archive_errors, zip_reader
from nextpixel.data.sources.arrays import ArraySource, Part, channels_first, check_images, mapped_part
from nextpixel.data.sources.folders import file_stamp
from nextpixel.errors import DataError

MAX_HEADER_BYTES = 10_000
MAX_LABEL_NAME_BYTES = 1 << 24
HEADER_ERRORS = (
    OSError,
    EOFError,
    ValueError,
    TypeError,
    LookupError,
    SyntaxError,
    OverflowError,
    MemoryError,
    RecursionError,
    tokenize.TokenError,
)
"""Everything NumPy raises on damaged headers."""


@dataclass(frozen=True)
class Header:
    """What an .npy file says about itself, and the number of bytes that say it."""

    shape: tuple[int, ...]
    fortran: bool
    dtype: np.dtype[np.generic]
    length: int

    @property
    def order(self) -> Literal["C", "F"]:
        """How the numbers lie, as NumPy calls it."""
        return "F" if self.fortran else "C"


def open_npy(path: Path) -> ArraySource:
    """Map the images of an .npy file into memory.

    Args:
        path: a file of uint8 `[N, H, W]` or `[N, H, W, C]`.

    Raises:
        DataError: if it is damaged or holds anything else.
    """
    where = str(path)
    stamp = ["npy", *file_stamp(path)]
    try:
        with path.open("rb") as file:
            header = read_header(file, where)
            check_images(header.dtype, header.shape, where)
            _check_length(header, path.stat().st_size, where)
        mapped = MappedPixels(path, header.length, header.shape, header.order, arrange=channels_first)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise DataError(f"{where} cannot be read ({reason}): check that it is there") from error
    return ArraySource(path.name, stamp, [mapped_part(where, mapped)])


def open_npz(path: Path) -> ArraySource:
    """Take the images of an .npz file, with their labels, levels and label names where there are any.

    Args:
        path: a file with uint8 `images` `[N, H, W]` or `[N, H, W, C]`, and perhaps whole numbers
            `labels` `[N]`, a whole number `levels` and texts `label_names`.

    Raises:
        DataError: if it is damaged or holds anything else.
    """
    where = str(path)
    stamp = ["npz", *file_stamp(path)]
    with zip_reader(path) as archive, archive_errors(path):
        members = archive.namelist()
        if "images.npy" not in members:
            members_found = ", ".join(sorted(name.removesuffix(".npy")[:40] for name in members)[:8]) or "nothing"
            raise DataError(f"{where} holds {members_found} but no images: store the array under the name images")
        with archive.open("images.npy") as file:
            header = read_header(file, where)
        check_images(header.dtype, header.shape, where)
        _check_length(header, archive.getinfo("images.npy").file_size, where)
        if header.fortran:
            raise DataError(
                f"the images of {where} are stored column by column: pass them through numpy.ascontiguousarray"
            )
        levels = 256
        if "levels.npy" in members:
            stored = read_small(archive, "levels", 64, where)
            if stored.size != 1 or stored.dtype.kind not in "iu":
                raise DataError(f"levels in {where} must be one whole number from 2 to 256: store it as such")
            levels = check_levels(int(stored.reshape(())), f"levels in {where}")
        names = _read_label_names(archive, where) if "label_names.npy" in members else None
    count = header.shape[0]
    labels = (lambda: _read_labels(path, count)) if "labels.npy" in members else None
    part = Part(where, count, lambda: _npz_images(path, header), labels)
    return ArraySource(path.name, stamp, [part], levels, names)


def _npz_images(path: Path, header: Header) -> Iterator[Pixels]:
    """Yield image after image; the member is decompressed as it goes."""
    size = math.prod(header.shape[1:])
    with zip_reader(path) as archive, archive_errors(path), archive.open("images.npy") as file:
        file.read(header.length)
        for index in range(header.shape[0]):
            data = file.read(size)
            if len(data) < size:
                raise DataError(f"{path} ends within image {index} of {header.shape[0]}: make or fetch it anew")
            yield channels_first(np.frombuffer(data, np.uint8).reshape(1, *header.shape[1:]))[0]


def _read_labels(path: Path, count: int) -> NDArray[np.generic]:
    with zip_reader(path) as archive, archive_errors(path):
        return read_small(archive, "labels", 8 * count, str(path))


def _read_label_names(archive: ZipFile, where: str) -> tuple[str, ...]:
    names = read_small(archive, "label_names", MAX_LABEL_NAME_BYTES, where)
    if names.ndim != 1 or names.dtype.kind != "U":
        raise DataError(f"label_names in {where} must be a list of texts: store numpy.array([...], dtype=str)")
    return tuple(str(name) for name in names)


def read_small(archive: ZipFile, name: str, limit: int, where: str) -> NDArray[np.generic]:
    """Read a whole member of at most `limit` bytes of content."""
    info = archive.getinfo(f"{name}.npy")
    with archive.open(info) as file:
        header = read_header(file, f"{name} in {where}")
        _check_length(header, info.file_size, f"{name} in {where}")
        if info.file_size - header.length > limit:
            raise DataError(f"{name} in {where} has the shape {list(header.shape)}, too large to fit the images")
        data = file.read(limit + 1)
    try:
        return np.frombuffer(data, header.dtype).reshape(header.shape, order=header.order)
    except ValueError:
        raise DataError(f"{name} in {where} is damaged: make or fetch the file anew") from None


def read_header(file: IO[bytes], where: str) -> Header:
    """Read the header of an .npy stream, leaving the stream behind it."""
    try:
        start = file.read(8)
        version = np.lib.format.read_magic(io.BytesIO(start))
        if version not in ((1, 0), (2, 0)):
            raise DataError(f"{where} is of .npy version {version}, not 1.0 or 2.0: save it with numpy.save")
        width = 2 if version == (1, 0) else 4
        size = file.read(width)
        # NumPy would read as many bytes as the header claims to have before it looks at them.
        length = int.from_bytes(size, "little")
        if length > MAX_HEADER_BYTES:
            raise DataError(f"{where} claims a header of {length} bytes and must be damaged: fetch it anew")
        rest = io.BytesIO(size + file.read(length))
        read = np.lib.format.read_array_header_1_0 if width == 2 else np.lib.format.read_array_header_2_0
        shape, fortran, dtype = read(rest)
    except HEADER_ERRORS as error:
        raise DataError(f"{where} is damaged or not a NumPy file: make or fetch it anew") from error
    if dtype.hasobject:
        raise DataError(f"{where} holds Python objects, which are never unpickled: store plain numbers")
    if any(size < 0 for size in shape):
        raise DataError(f"{where} declares the shape {list(shape)} and must be damaged: fetch it anew")
    return Header(shape, fortran, dtype, len(start) + width + length)


def _check_length(header: Header, size: int, where: str) -> None:
    """Raise `DataError` unless the declared shape accounts for every byte there is."""
    declared = math.prod(header.shape) * header.dtype.itemsize
    if declared != size - header.length:
        raise DataError(
            f"{where} declares the shape {list(header.shape)} of {header.dtype.itemsize} bytes each but holds"
            f" {size - header.length} bytes: make or fetch it anew"
        )

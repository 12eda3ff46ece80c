"""Vectors that belong to images, such as embeddings by some other network: from .npz, .npy or an array."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from zipfile import ZipFile

import numpy as np
from numpy.typing import NDArray

from nextpixel.data.composed import composed
from nextpixel.data.source import Vectors
from nextpixel.data.sources.archives import archive_errors, zip_reader
from nextpixel.data.sources.numpy_files import HEADER_ERRORS, read_small
from nextpixel.errors import DataError

EMBEDDINGS = "embeddings.npz"
MAX_BYTES = 1 << 34


def own_vectors(source: Path) -> Path | None:
    """The file that holds the vectors of a source beside or within it, if there is one."""
    if source.is_dir():
        return source / EMBEDDINGS if (source / EMBEDDINGS).is_file() else None
    if source.suffix.lower() == ".npz":
        with zip_reader(source) as archive:
            return source if "vectors.npy" in archive.namelist() else None
    return None


def read_vectors(
    source: str | Path | NDArray[np.generic], names: Sequence[str] | None, count: int, where: str
) -> Vectors:
    """Read vectors and put them into the order of the images.

    Args:
        source: an .npz with `vectors` and perhaps `names`, an .npy, or an array `[N, d]`.
        names: relative file names of the images, or None.
        count: how many images there are.
        where: what to call their source in errors.

    Returns:
        float32 `[count, d]`.

    Raises:
        DataError: if they cannot be read, are not finite numbers, or do not fit the images.
    """
    if not isinstance(source, str | Path):
        return _fitting(np.asarray(source), count, "the vectors", where)
    path = Path(source)
    vectors, own_names = _read(path)
    if own_names is None or names is None:
        return _fitting(vectors, count, f"the vectors of {path}", where)
    row = {composed(name): number for number, name in enumerate(own_names)}
    if len(own_names) != len(vectors) or len(row) != len(own_names):
        raise DataError(f"{path} has {len(vectors)} vectors and {len(row)} different names: give each one its own")
    missing = [name for name in names if composed(name) not in row]
    if missing:
        raise DataError(f"{path} has no vector for {missing[0]} of {where}: add one, or leave the entry names out")
    return _fitting(vectors[[row[composed(name)] for name in names]], count, f"the vectors of {path}", where)


def read_rows(path: Path) -> Vectors:
    """Read one vector `[d]` or several `[n, d]` from an .npy or .npz file, as `[n, d]`.

    Raises:
        DataError: if they cannot be read or are not finite numbers.
    """
    vectors, _ = _read(path)
    vectors = vectors[None] if vectors.ndim == 1 else vectors
    return _fitting(vectors, len(vectors), f"the vectors of {path}", "the file")


def _read(path: Path) -> tuple[NDArray[np.generic], tuple[str, ...] | None]:
    """The vectors of a file, and their names if it has them."""
    if not path.is_file():
        raise DataError(f"{path} is not a file: name an .npz with vectors, or an .npy")
    if path.suffix.lower() == ".npy":
        try:
            loaded = np.load(path, allow_pickle=False)
            if not isinstance(loaded, np.ndarray):
                raise DataError(f"{path} is an .npz by another name: call it so")
            return loaded, None
        except HEADER_ERRORS as error:
            raise DataError(f"{path} is damaged or not a NumPy file: make or fetch it anew") from error
    with zip_reader(path) as archive, archive_errors(path):
        if "vectors.npy" not in archive.namelist():
            raise DataError(f"{path} holds no vectors: store the array [N, d] under the name vectors")
        vectors = read_small(archive, "vectors", MAX_BYTES, str(path))
        return vectors, _names(archive, path)


def _names(archive: ZipFile, path: Path) -> tuple[str, ...] | None:
    if "names.npy" not in archive.namelist():
        return None
    names = read_small(archive, "names", MAX_BYTES, str(path))
    if names.ndim != 1 or names.dtype.kind != "U":
        raise DataError(f"names in {path} must be a list of texts: store numpy.array([...], dtype=str)")
    return tuple(map(str, names))


def _fitting(vectors: NDArray[np.generic], count: int, what: str, where: str) -> Vectors:
    if vectors.dtype.kind not in "fiu" or vectors.ndim != 2 or vectors.shape[1] < 1:
        raise DataError(f"{what} are {vectors.dtype} {list(vectors.shape)} and must be numbers [N, d]: convert them")
    if len(vectors) != count:
        raise DataError(f"{what} are {len(vectors)} for the {count} images of {where}: give one for each image")
    with np.errstate(over="ignore"):
        fitting: Vectors = vectors.astype(np.float32)
    if not np.isfinite(fitting).all():
        raise DataError(f"{what} hold values that are not finite numbers: mend them")
    return fitting

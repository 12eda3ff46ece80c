"""From whatever the user named to a source of images."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from nextpixel.data.entries import is_image
from nextpixel.data.prepared.reading import is_prepared, open_prepared
from nextpixel.data.source import Layout, Source
from nextpixel.data.sources.archives import open_tar, open_zip
from nextpixel.data.sources.arrays import open_array
from nextpixel.data.sources.cifar import find_cifar_files, open_cifar
from nextpixel.data.sources.dataset_source import is_dataset, open_dataset
from nextpixel.data.sources.folders import open_file, open_folder
from nextpixel.data.sources.hub import is_hub, open_hub
from nextpixel.data.sources.idx import find_idx_files, is_idx, open_idx, open_idx_folder
from nextpixel.data.sources.named import LABEL_NAMES, NAMES, find_named, open_digits
from nextpixel.data.sources.numpy_files import open_npy, open_npz
from nextpixel.data.sources.vectors import own_vectors, read_vectors
from nextpixel.errors import DataError

TAR_SUFFIXES = (".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tar.xz", ".txz")


def find_source(source: object, folder: Path) -> Source:
    """Find out what the user named; a path that exists comes before a set known by that name.

    Args:
        source: what `nextpixel.open_images` takes.
        folder: where caches lie.

    Raises:
        DataError: if it is nothing that images can come from.
    """
    if isinstance(source, np.ndarray):
        return open_array(source)
    if not isinstance(source, str | Path):
        if not is_dataset(source):
            raise DataError(
                f"images cannot be read from an object of the type {type(source).__name__}: give a path, a name, an "
                "array, or a data set with a length whose items are images or (image, label)"
            )
        return open_dataset(source)
    if is_hub(source):
        return open_hub(str(source))
    if not _is_known(source):
        return _open_path(Path(source))
    opened = open_digits() if source == "digits" else _open_path(find_named(str(source), folder))
    opened.name = str(source)
    return opened


def known_label_names(source: object) -> tuple[str, ...]:
    """Names of the labels of a set known by name, which its files may lack."""
    return LABEL_NAMES.get(str(source), ()) if _is_known(source) else ()


def vectors_for(
    source: object, vectors: str | Path | NDArray[np.generic] | None, layout: Layout, count: int, where: str
) -> Layout:
    """Add the vectors that the user named, or those that lie with the source.

    Args:
        source: what the user named.
        vectors: see `nextpixel.open_images`.
        layout: how the images are arranged.
        count: how many there are.
        where: what to call the source in errors.

    Returns:
        The layout with the vectors, or with the reason why those that nobody asked for cannot be used.

    Raises:
        DataError: if vectors that were asked for cannot be used.
    """
    origin = vectors
    if origin is None and isinstance(source, str | Path) and not _is_known(source) and not is_hub(source):
        origin = own_vectors(Path(source))
    if origin is None:
        return layout
    try:
        matched = read_vectors(origin, layout.names, count, where)
    except DataError as error:
        if vectors is not None:
            raise
        # Nobody asked for them yet, and a stray file must not make images unreadable.
        return replace(layout, vectors_error=str(error))
    return replace(layout, vectors=matched, vectors_error=None)


def _is_known(source: object) -> bool:
    return isinstance(source, str) and source in NAMES and not Path(source).exists()


def _open_path(path: Path) -> Source:
    """Find out what kind of source lies at a path."""
    try:
        is_folder, is_file = path.is_dir(), path.is_file()
    except (OSError, ValueError):
        is_folder = is_file = False
    if is_folder:
        if is_prepared(path):
            return open_prepared(path)
        if idx_files := find_idx_files(path):
            return open_idx_folder(path, idx_files)
        if cifar_files := find_cifar_files(path):
            return open_cifar(path, cifar_files)
        return open_folder(path)
    if not is_file:
        raise DataError(f"{path} is neither a file, a folder nor one of the names {', '.join(NAMES)}: check it")
    name = path.name.lower()
    if name.endswith(".npy"):
        return open_npy(path)
    if name.endswith(".npz"):
        return open_npz(path)
    if name.endswith(".zip"):
        return open_zip(path)
    if name.endswith(TAR_SUFFIXES):
        return open_tar(path)
    if is_image(name):
        return open_file(path)
    if is_idx(path):
        return open_idx(path)
    raise DataError(
        f"{path} is of no kind that is understood: give a folder of images, .zip, .tar, .npz, .npy, an idx"
        f" file or one of the names {', '.join(NAMES)}"
    )

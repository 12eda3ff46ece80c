"""`open_images`: from whatever the user named to an `ImageSet`."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from nextpixel.data.archives import open_tar, open_zip
from nextpixel.data.arrays import open_array
from nextpixel.data.cache import cache_folder
from nextpixel.data.cifar import find_cifar_files, open_cifar
from nextpixel.data.entries import is_image
from nextpixel.data.folders import open_file, open_folder
from nextpixel.data.geometry import Geometry
from nextpixel.data.idx import find_idx_files, is_idx, open_idx, open_idx_folder
from nextpixel.data.image_set import ImageSet
from nextpixel.data.levels import Binarize, plan
from nextpixel.data.named import LABEL_NAMES, NAMES, find_named, open_digits
from nextpixel.data.numpy_files import open_npy, open_npz
from nextpixel.data.source import Source
from nextpixel.data.table import Table, load_table, name_labels
from nextpixel.data.vectors import own_vectors, read_vectors
from nextpixel.errors import DataError

TAR_SUFFIXES = (".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tar.xz", ".txz")


def open_images(
    source: str | Path | NDArray[Any],
    *,
    split: str | None = None,
    levels: int | None = None,
    binarize: Binarize | None = None,
    seed: int = 0,
    resize: tuple[int, int] | None = None,
    mode: Literal["grey", "rgb"] | None = None,
    drop_alpha: bool = False,
    vectors: str | Path | NDArray[Any] | None = None,
    cache: str | Path | None = None,
) -> ImageSet:
    """Opens images, wherever they come from. Nothing is lost unless asked for.

    Args:
        source: A folder of images (``train``, ``valid`` and ``test`` below it are splits, other folders
            classes; ``metadata.csv`` or ``.jsonl`` with ``file_name`` and ``label`` may give labels); a .zip
            or .tar of the same; one image file; an .npz with ``images`` (and ``labels``, ``levels``,
            ``label_names``); an .npy; an idx file or a folder of them; the folder of CIFAR-10's binary
            version; a name (``digits``, ``mnist``, ``fashion-mnist``, ``cifar10``); or a uint8 array
            ``[N, H, W]`` or ``[N, H, W, C]``.
        split: Only this split; None for all images, in the order train, valid, test.
        levels: Quantise to so many levels, ``floor(x * new / old)``.
        binarize: Make two levels: "threshold" is 1 from half upwards, "stochastic" draws each sub-pixel once
            with probability ``x / (old - 1)``, "dynamic" draws anew for every ``draw`` that
            `ImageSet.batch` is given.
        seed: Chooses the draws, 0..2**64 - 1.
        resize: ``(height, width)``: crop the middle to this aspect ratio, then resample.
        mode: "grey" for luminance, "rgb" for three channels.
        drop_alpha: Discard alpha channels.
        vectors: Numbers that belong to the images, ``[N, d]`` for all of the source: an .npz with ``vectors`` (and
            perhaps ``names``, by which its rows are then matched), an .npy, or an array. None takes those of the
            source itself, if there are any: ``vectors`` in an .npz, ``embeddings.npz`` in a folder, or the column
            ``vector`` of its metadata.
        cache: Folder for decoded images, instead of ``$NEXTPIXEL_CACHE`` or ``~/.cache/nextpixel``.

    Returns:
        The images.

    Raises:
        DataError: If the source cannot be read, its images do not fit together, or a wish cannot be met.
    """
    geometry = Geometry(drop_alpha, mode, resize)
    folder = cache_folder(cache)
    found = _find(source, folder)
    # Wishes that contradict each other are refused before a long read.
    tone = plan(found.levels, levels, binarize, seed, found.name)
    table = replace(
        _load(found, source, geometry, vectors, folder), reopen=partial(_reopen, source, geometry, vectors, folder)
    )
    images = ImageSet(table, tone, np.arange(len(table.pixels), dtype=np.int64), table.layout.splits)
    return images if split is None else images.split(split)


def _find(source: str | Path | NDArray[Any], folder: Path) -> Source:
    """Finds out what the user named; a path that exists comes before a set known by that name."""
    if isinstance(source, np.ndarray):
        return open_array(source)
    if not _is_known(source):
        return _open_path(Path(source))
    found = open_digits() if source == "digits" else _open_path(find_named(str(source), folder))
    found.name = str(source)
    return found


def _is_known(source: object) -> bool:
    return isinstance(source, str) and source in NAMES and not Path(source).exists()


def _load(
    found: Source, source: object, geometry: Geometry, vectors: str | Path | NDArray[Any] | None, folder: Path
) -> Table:
    table = load_table(found, geometry, folder)
    if _is_known(source):
        table = name_labels(table, LABEL_NAMES.get(str(source), ()))
    vectors_were_named = vectors is not None
    if vectors is None and isinstance(source, str | Path) and not _is_known(source):
        vectors = own_vectors(Path(source))
    if vectors is None:
        return table
    try:
        matched = read_vectors(vectors, table.layout.names, len(table.pixels), found.name)
    except DataError as error:
        if vectors_were_named:
            raise
        # Nobody asked for them yet, and a stray file must not make images unreadable.
        return replace(table, vectors_error=str(error))
    return replace(table, layout=replace(table.layout, vectors=matched))


def _reopen(
    source: str | Path | NDArray[Any], geometry: Geometry, vectors: str | Path | NDArray[Any] | None, folder: Path
) -> Table:
    """Opens in a worker process what `open_images` has opened in the first."""
    return _load(_find(source, folder), source, geometry, vectors, folder)


def _open_path(path: Path) -> Source:
    """Finds out what kind of source lies at a path."""
    try:
        is_folder, is_file = path.is_dir(), path.is_file()
    except (OSError, ValueError):
        is_folder = is_file = False
    if is_folder:
        if idx_files := find_idx_files(path):
            return open_idx_folder(path, idx_files)
        if cifar_files := find_cifar_files(path):
            return open_cifar(path, cifar_files)
        return open_folder(path)
    if not is_file:
        raise DataError(f"{path} is neither a file, a folder nor one of the names {', '.join(NAMES)}: check it.")
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
        f" file or one of the names {', '.join(NAMES)}."
    )

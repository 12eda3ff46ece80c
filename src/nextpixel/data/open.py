"""`open_images`: from whatever the user named to an `ImageSet`."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from nextpixel.data.cache import cache_folder
from nextpixel.data.find import find_source, known_label_names, vectors_for
from nextpixel.data.geometry import Geometry
from nextpixel.data.image_set import ImageSet
from nextpixel.data.levels import Binarize, plan
from nextpixel.data.prepared.reading import PreparedSource
from nextpixel.data.source import Source
from nextpixel.data.table import Table, load_table, name_labels


def open_images(
    source: object,
    *,
    split: str | None = None,
    levels: int | None = None,
    binarize: Binarize | None = None,
    seed: int = 0,
    resize: tuple[int, int] | None = None,
    mode: Literal["grey", "rgb"] | None = None,
    drop_alpha: bool = False,
    depth: Literal[8] | None = None,
    vectors: str | Path | NDArray[np.generic] | None = None,
    cache: str | Path | None = None,
) -> ImageSet:
    """Open images, wherever they come from. Nothing is lost unless asked for.

    Args:
        source: a folder of images (`train`, `valid` and `test` below it are splits, other folders
            classes; `metadata.csv` or `.jsonl` with `file_name` and `label` may give labels); a .zip
            or .tar of the same; one image file; an .npz with `images` (and `labels`, `levels`,
            `label_names`); an .npy; an idx file or a folder of them; the folder of CIFAR-10's binary
            version; a folder that `nextpixel.data.prepare` has written; a name (`digits`, `mnist`,
            `fashion-mnist`, `cifar10`); `hf:NAME` or `hf:NAME:CONFIG` for a set of the Hugging Face hub;
            a uint8 array `[N, H, W]` or `[N, H, W, C]`; or a data set in memory, of PyTorch, of Hugging Face or
            your own, whose items are images or (image, label), or a dict of such data sets by split. Data sets are
            read once, in order, into a file; see `nextpixel.data.sources.dataset_source` for what an image may be.
        split: only this split; None for all images, in the order train, valid, test.
        levels: quantise to so many levels, `floor(x * new / old)`.
        binarize: make two levels: "threshold" is 1 from half upwards, "stochastic" draws each sub-pixel once
            with probability `x / (old - 1)`, "dynamic" draws anew for every `draw` that
            `ImageSet.batch` is given.
        seed: chooses the draws, 0..2**64 - 1.
        resize: `(height, width)`: crop the middle to this aspect ratio, then resample.
        mode: "grey" for luminance, "rgb" for three channels.
        drop_alpha: discard alpha channels.
        depth: 8 to take the highest eight bits of files that have more, such as 12 or 16; they are left out otherwise.
            `levels` implies it.
        vectors: numbers that belong to the images, `[N, d]` for all of the source: an .npz with `vectors` (and
            perhaps `names`, by which its rows are then matched), an .npy, or an array. None takes those of the
            source itself, if there are any: `vectors` in an .npz, `embeddings.npz` in a folder, or the column
            `vector` of its metadata.
        cache: folder for decoded images, instead of `$NEXTPIXEL_CACHE` or `~/.cache/nextpixel`.

    Returns:
        The images.

    Raises:
        DataError: if the source cannot be read, its images do not fit together, or a wish cannot be met.
    """
    geometry = Geometry(drop_alpha, mode, resize, depth if levels is None else 8)
    folder = cache_folder(cache)
    opened = find_source(source, folder)
    # Wishes that contradict each other are refused before a long read.
    transform = plan(opened.levels, levels, binarize, seed, opened.name)
    table = replace(
        _load(opened, source, geometry, vectors, folder),
        reopen=partial(_reopen, source, geometry, vectors, folder),
        wishes={
            "levels": levels,
            "binarize": binarize,
            "seed": seed,
            "resize": geometry.resize,
            "mode": mode,
            "drop_alpha": drop_alpha,
            "depth": depth,
        },
    )
    images = ImageSet(table, transform, np.arange(len(table.pixels), dtype=np.int64), table.layout.splits)
    return images if split is None else images.split(split)


def _load(
    opened: Source, source: object, geometry: Geometry, vectors: str | Path | NDArray[np.generic] | None, folder: Path
) -> Table:
    table = opened.table(geometry) if isinstance(opened, PreparedSource) else load_table(opened, geometry, folder)
    layout = name_labels(table.layout, known_label_names(source))
    return replace(table, layout=vectors_for(source, vectors, layout, len(table.pixels), opened.name))


def _reopen(
    source: object, geometry: Geometry, vectors: str | Path | NDArray[np.generic] | None, folder: Path
) -> Table:
    """Open in a worker process what `open_images` has opened in the first."""
    return _load(find_source(source, folder), source, geometry, vectors, folder)

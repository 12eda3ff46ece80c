"""How files are arranged: splits and labels from the names of their folders, or labels from metadata."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise

import numpy as np

from nextpixel.data.labels import check_labels
from nextpixel.data.source import Labels, Layout, Vectors
from nextpixel.data.sources.metadata import Label, Row, match_rows, read_metadata
from nextpixel.errors import DataError

SPLITS = ("train", "valid", "test")
SPLIT_OF_FOLDER = {"train": "train", "valid": "valid", "val": "valid", "validation": "valid", "test": "test"}
Folders = tuple[str, ...]


def arrange(kept: Sequence[str], rejected: Sequence[str], tables: Mapping[str, bytes], where: str) -> Layout:
    """Arranges image files by split and name, and finds their labels.

    Args:
        kept: Relative names of the images that were read, in any order.
        rejected: Relative names of those left out.
        tables: Name and content of each metadata file.
        where: What to call the source in errors.

    Returns:
        Their layout: train, valid, test, and by relative name within each.

    Raises:
        DataError: If metadata do not fit the files, or two files have the same name.
    """
    names = [*kept, *rejected]
    ascending = sorted(names)
    twice = next((name for name, other in pairwise(ascending) if name == other), None)
    if twice is not None:
        raise DataError(f"{where} holds two files named {twice}: rename one of them.")
    # All that follows from folders is found once a folder, as there are few of them where there are millions of files.
    folder_of, folders = _folders(names)
    folders = _strip_common(folders)
    splits, folders = _take_splits(names, folder_of, folders, where)
    rank = np.array([SPLITS.index(split) if split else 0 for split in splits], dtype=np.int64)
    order = np.array(sorted(range(len(kept)), key=kept.__getitem__), dtype=np.int64)
    order = order[np.argsort(rank[folder_of[order]], kind="stable")]
    ordered = tuple(kept[i] for i in order.tolist())
    counts = np.bincount(folder_of[: len(kept)], minlength=len(folders)).tolist()
    sizes = {split: sum(n for n, own in zip(counts, splits, strict=True) if own == split) for split in SPLITS}

    metadata = read_metadata(tables, where)
    if tables:
        match_rows(metadata, names, where)
    notes: tuple[str, ...] = ()
    labelled = [name for name, row in metadata.items() if row.label is not None]
    labels: Labels | None
    if labelled:
        given = [metadata[name].label if name in metadata else None for name in names]
        if len(labelled) < len(names):
            bare = min(name for name, label in zip(names, given, strict=True) if label is None)
            raise DataError(f"{bare} in {where} has no label in its metadata while others have: label all or none.")
        labels, label_names = _number(dict(zip(names, given, strict=True)), ordered, where)
    else:
        labels, label_names, notes = _folder_labels(folders, folder_of[order])
    return Layout(
        splits={split: size for split, size in sizes.items() if size},
        labels=labels,
        label_names=label_names,
        vectors=_vectors(metadata, ordered, where),
        names=ordered,
        order=order,
        notes=notes,
    )


def _folders(names: Sequence[str]) -> tuple[Labels, list[Folders]]:
    """For each name the number of its folder, and the parts of each folder."""
    numbers: dict[str, int] = {}
    folder_of = (numbers.setdefault(name.rpartition("/")[0], len(numbers)) for name in names)
    found = np.fromiter(folder_of, np.int64, len(names))
    return found, [tuple(part for part in folder.split("/") if part) for folder in numbers]


def _vectors(metadata: Mapping[str, Row], ordered: Sequence[str], where: str) -> Vectors | None:
    """The vectors of the images that were read, if the metadata have any."""
    given = {name: metadata[name].vector for name in ordered if name in metadata}
    known = {name: vector for name, vector in given.items() if vector is not None}
    if not known:
        return None
    first = next(iter(known))
    for name in ordered:
        if name not in known or len(known[name]) != len(known[first]):
            has = f"one of {len(known[name])}" if name in known else "none"
            raise DataError(
                f"{first} in {where} has a vector of {len(known[first])} numbers and {name} {has}: give all images"
                " vectors of one length."
            )
    with np.errstate(over="ignore"):
        vectors = np.array([known[name] for name in ordered]).astype(np.float32)
    if not np.isfinite(vectors).all():
        raise DataError(f"the vectors in the metadata of {where} are too large for 32-bit floats: scale them.")
    return vectors


def _strip_common(folders: list[Folders]) -> list[Folders]:
    """Drops leading folders that all files share, such as the one an archive was made of."""
    while all(folders) and len({parts[0] for parts in folders}) == 1 and _split_of(folders[0]) is None:
        folders = [parts[1:] for parts in folders]
    return folders


def _split_of(parts: Folders) -> str | None:
    return SPLIT_OF_FOLDER.get(parts[0].lower()) if parts else None


def _take_splits(
    names: Sequence[str], folder_of: Labels, folders: list[Folders], where: str
) -> tuple[list[str | None], list[Folders]]:
    """Reads the first folder as a split, if it is one for every file: "train" may also be a class."""
    splits = [_split_of(parts) for parts in folders]
    if all(splits):
        return splits, [parts[1:] for parts in folders]
    # Whoever keeps a test folder does not want to train on it, so it is not taken for a class in silence.
    held_out = sorted({parts[0] for parts, split in zip(folders, splits, strict=True) if split in ("valid", "test")})
    if held_out:
        outside = min(name for name, folder in zip(names, folder_of, strict=True) if splits[folder] is None)
        raise DataError(
            f"{where} has a folder {held_out[0]}, but {outside} is in none of train, valid and test:"
            " move it into train, or open the folders one by one."
        )
    return [None] * len(folders), folders


def _folder_labels(
    folders: list[Folders], folder_of: Labels
) -> tuple[Labels | None, tuple[str, ...] | None, tuple[str, ...]]:
    """Reads the last folder as the class of each image, if all lie one folder deep and in more than one."""
    if not any(folders):
        return None, None, ()
    if any(len(parts) != 1 for parts in folders):
        return None, None, ("no labels, since not every image lies in a class folder exactly one level deep",)
    label_names = tuple(sorted({parts[0] for parts in folders}))
    numbers = np.array([label_names.index(parts[0]) for parts in folders], dtype=np.int64)
    return numbers[folder_of], label_names, ()


def _number(
    classes: Mapping[str, Label | None], ordered: Sequence[str], where: str
) -> tuple[Labels, tuple[str, ...] | None]:
    """Turns the classes of metadata into integers: integers stay as they are, texts are sorted and numbered."""
    if all(isinstance(label, int) for label in classes.values()):
        values = [classes[name] for name in ordered]
        return check_labels(np.array(values, dtype=object), len(values), where), None
    label_names = tuple(sorted({str(label) for label in classes.values()}))
    number = {label: i for i, label in enumerate(label_names)}
    return np.array([number[str(classes[name])] for name in ordered], dtype=np.int64), label_names

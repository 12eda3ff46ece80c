"""How files are arranged: splits and labels from the names of their folders, or labels from metadata."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath

import numpy as np

from nextpixel.data.labels import check_labels
from nextpixel.data.metadata import Label, Row, match_rows, read_metadata
from nextpixel.data.source import Labels, Layout, Vectors
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
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise DataError(f"{where} holds two files named {min(twice)}: rename one of them.")
    folders = _strip_common([PurePosixPath(name).parts[:-1] for name in names])
    splits, folders = _take_splits(names, folders, where)
    rank = {name: SPLITS.index(split) if split else 0 for name, split in zip(names, splits, strict=True)}
    order = sorted(range(len(kept)), key=lambda i: (rank[kept[i]], kept[i]))
    ordered = [kept[i] for i in order]

    metadata = read_metadata(tables, where)
    if tables:
        match_rows(metadata, names, where)
    notes: tuple[str, ...] = ()
    given = [metadata[name].label if name in metadata else None for name in names]
    if tables and all(label is not None for label in given):
        classes = dict(zip(names, given, strict=True))
    elif any(label is not None for label in given):
        bare = min(name for name, label in zip(names, given, strict=True) if label is None)
        raise DataError(f"{bare} in {where} has no label in its metadata while others have: label all or none.")
    else:
        classes, notes = _folder_classes(names, folders)
    labels, label_names = _number(classes, ordered, where)
    counts = Counter(splits[: len(kept)])
    return Layout(
        splits={split: counts[split] for split in SPLITS if counts[split]},
        labels=labels,
        label_names=label_names,
        vectors=_vectors(metadata, ordered, where),
        names=tuple(ordered),
        order=np.array(order, dtype=np.int64),
        notes=notes,
    )


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


def _take_splits(names: list[str], folders: list[Folders], where: str) -> tuple[list[str | None], list[Folders]]:
    """Reads the first folder as a split, if it is one for every file: "train" may also be a class."""
    splits = [_split_of(parts) for parts in folders]
    if all(splits):
        return splits, [parts[1:] for parts in folders]
    # Whoever keeps a test folder does not want to train on it, so it is not taken for a class in silence.
    held_out = sorted({parts[0] for parts, split in zip(folders, splits, strict=True) if split in ("valid", "test")})
    if held_out:
        outside = min(name for name, split in zip(names, splits, strict=True) if split is None)
        raise DataError(
            f"{where} has a folder {held_out[0]}, but {outside} is in none of train, valid and test:"
            " move it into train, or open the folders one by one."
        )
    return [None] * len(folders), folders


def _folder_classes(names: list[str], folders: list[Folders]) -> tuple[dict[str, Label | None], tuple[str, ...]]:
    """Reads the last folder as the class of each image, if all lie one folder deep and in more than one."""
    if not any(folders):
        return {}, ()
    if any(len(parts) != 1 for parts in folders):
        return {}, ("no labels, since not every image lies in a class folder exactly one level deep",)
    classes: dict[str, Label | None] = {name: parts[0] for name, parts in zip(names, folders, strict=True)}
    return classes, ()


def _number(
    classes: Mapping[str, Label | None], ordered: Sequence[str], where: str
) -> tuple[Labels | None, tuple[str, ...] | None]:
    """Turns classes into integers: integers stay as they are, texts are sorted and numbered."""
    if not classes:
        return None, None
    if all(isinstance(label, int) for label in classes.values()):
        values = [classes[name] for name in ordered]
        return check_labels(np.array(values, dtype=object), len(values), where), None
    label_names = tuple(sorted({str(label) for label in classes.values()}))
    number = {label: i for i, label in enumerate(label_names)}
    return np.array([number[str(classes[name])] for name in ordered], dtype=np.int64), label_names

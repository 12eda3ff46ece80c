"""How files are arranged: splits and labels from the names of their folders, or labels from metadata."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise

import numpy as np

from nextpixel.data.composed import composed
from nextpixel.data.labels import check_labels
from nextpixel.data.source import NO_LABEL, Labels, Layout, Vectors
from nextpixel.data.sources.metadata import Label, Row, read_metadata
from nextpixel.data.sources.split_names import SPLITS, split_of, splits_of
from nextpixel.errors import DataError

Folders = tuple[str, ...]


def arrange(kept: Sequence[str], rejected: Sequence[str], tables: Mapping[str, bytes], where: str) -> Layout:
    """Arrange image files by split and name, and finds their labels.

    Args:
        kept: relative names of the images that were read, in any order.
        rejected: relative names of those left out.
        tables: name and content of each metadata file.
        where: what to call the source in errors.

    Returns:
        Their layout: train, valid, test, and by relative name within each.

    Raises:
        DataError: two files have the same name, or a folder is called as a split and others are not.
    """
    names = [*kept, *rejected]
    ascending = sorted(names)
    twice = next((name for name, other in pairwise(ascending) if name == other), None)
    if twice is not None:
        raise DataError(f"{where} holds two files named {twice}: rename one of them")
    # All that follows from folders is found once a folder, as there are few of them where there are millions of files.
    folder_of, folders = _folders(names)
    folders = _strip_common(folders)
    splits, folders = _take_splits(names, folder_of, folders, where)
    rank = np.array([SPLITS.index(split) if split else 0 for split in splits], dtype=np.int64)
    order = np.array(sorted(range(len(kept)), key=kept.__getitem__), dtype=np.int64)
    order = order[np.argsort(rank[folder_of[order]], kind="stable")]
    ordered = tuple(kept[i] for i in order.tolist())
    counts = np.bincount(folder_of[: len(kept)], minlength=len(folders)).tolist()
    sizes = {
        split: sum(n for n, split_there in zip(counts, splits, strict=True) if split_there == split) for split in SPLITS
    }

    table = read_metadata(tables, names, where)
    labels: Labels | None
    notes: tuple[str, ...]
    labels_error, vectors, vectors_error = table.error, None, table.error
    if labels_error is not None:
        labels, label_names, notes = None, None, (f"read without labels: {labels_error}",)
    elif any(row.label is not None for row in table.rows.values()):
        split_of_image = [splits[number] for number in folder_of.tolist()]
        labels, label_names, labels_error, notes = _metadata_labels(table.rows, names, ordered, split_of_image, where)
    else:
        labels, label_names, notes = _folder_labels(folders, splits, folder_of[order])
    if table.error is None:
        try:
            vectors = _vectors(table.rows, ordered, where)
        except DataError as error:
            vectors_error = str(error)
            notes = (*notes, f"read without vectors: {error}")
    return Layout(
        splits={split: size for split, size in sizes.items() if size},
        labels=labels,
        label_names=label_names,
        vectors=vectors,
        names=ordered,
        order=order,
        notes=(*table.notes, *notes),
        labels_error=labels_error,
        vectors_error=vectors_error,
    )


def _folders(names: Sequence[str]) -> tuple[Labels, list[Folders]]:
    """For each name the number of its folder, and the parts of each folder."""
    numbers: dict[str, int] = {}
    folder_of = (numbers.setdefault(name.rpartition("/")[0], len(numbers)) for name in names)
    folder_of_names = np.fromiter(folder_of, np.int64, len(names))
    return folder_of_names, [tuple(part for part in folder.split("/") if part) for folder in numbers]


def _vectors(metadata: Mapping[str, Row], ordered: Sequence[str], where: str) -> Vectors | None:
    """The vectors of the images that were read, if the metadata have any."""
    columns = {name: metadata[name].vector() for name in ordered if name in metadata}
    known = {name: vector for name, vector in columns.items() if vector is not None}
    if not known:
        return None
    first = next(iter(known))
    for name in ordered:
        if name not in known or len(known[name]) != len(known[first]):
            has = f"one of {len(known[name])}" if name in known else "none"
            raise DataError(
                f"{first} in {where} has a vector of {len(known[first])} numbers and {name} {has}: give all images"
                " vectors of one length"
            )
    with np.errstate(over="ignore"):
        vectors = np.array([known[name] for name in ordered]).astype(np.float32)
    if not np.isfinite(vectors).all():
        raise DataError(f"the vectors in the metadata of {where} are too large for 32-bit floats: scale them")
    return vectors


def _strip_common(folders: list[Folders]) -> list[Folders]:
    """Drop leading folders that all files share, such as the one an archive was made of."""
    while all(folders) and len({parts[0] for parts in folders}) == 1 and split_of(folders[0][0]) is None:
        folders = [parts[1:] for parts in folders]
    return folders


def _take_splits(
    names: Sequence[str], folder_of: Labels, folders: list[Folders], where: str
) -> tuple[list[str | None], list[Folders]]:
    """Read the first folder as a split, if it is one for every file: "train" may also be a class."""
    meaning = splits_of(sorted({parts[0] for parts in folders if parts}))
    splits = [meaning[parts[0]] if parts else None for parts in folders]
    if all(splits):
        return splits, [parts[1:] for parts in folders]
    # Whoever keeps a test folder does not want to train on it, so it is not taken for a class in silence.
    held_out = sorted({parts[0] for parts, split in zip(folders, splits, strict=True) if split in ("valid", "test")})
    if held_out:
        outside = min(name for name, folder in zip(names, folder_of, strict=True) if splits[folder] is None)
        raise DataError(
            f"{where} has a folder {held_out[0]}, but {outside} is in none of train, valid and test:"
            " move it into train, or open the folders one by one"
        )
    return [None] * len(folders), folders


def _folder_labels(
    folders: list[Folders], splits: list[str | None], folder_of: Labels
) -> tuple[Labels | None, tuple[str, ...] | None, tuple[str, ...]]:
    """Read the last folder as the class of each image, if all of a split lie one folder deep and some in more than one.

    A split without folders has no labels; test images often have none.
    """
    if not any(folders):
        return None, None, ()
    depths = {
        split: {len(parts) for parts, there in zip(folders, splits, strict=True) if there == split} for split in splits
    }
    flat = sorted({str(split) for split, lengths in depths.items() if lengths == {0}})
    if any(lengths not in ({0}, {1}) for lengths in depths.values()):
        return None, None, ("no labels, since not every image lies in a class folder exactly one level deep",)
    label_names = tuple(sorted({composed(parts[0]) for parts in folders if parts}))
    place = {name: number for number, name in enumerate(label_names)}
    numbers = np.array([place[composed(parts[0])] if parts else NO_LABEL for parts in folders], dtype=np.int64)
    notes = (f"no labels for {' and '.join(flat)}, whose images lie in no class folders",) if flat else ()
    return numbers[folder_of], label_names, notes


def _metadata_labels(
    rows: Mapping[str, Row],
    names: Sequence[str],
    ordered: Sequence[str],
    splits: Sequence[str | None],
    where: str,
) -> tuple[Labels | None, tuple[str, ...] | None, str | None, tuple[str, ...]]:
    """The labels of metadata in final order, their names, why they cannot be used, and what to say.

    Args:
        rows: what the tables say, by the name of the file.
        names: all files, readable or not.
        ordered: those that were read, in final order.
        splits: the split of each of all files.
        where: what to call the source in errors.
    """
    bare = {name: split for name, split in zip(names, splits, strict=True) if _label_of(rows, name) is None}
    labelled = {split for name, split in zip(names, splits, strict=True) if name not in bare}
    if any(split in labelled for split in bare.values()):
        mixed = min(name for name, split in bare.items() if split in labelled)
        error = f"{mixed} in {where} has no label in its metadata while others have: label all of a split or none"
        return None, None, error, (f"read without labels: {error}",)
    without = sorted({str(split) for split in bare.values()})
    notes = (f"no labels for {' and '.join(without)}, of which the metadata name no classes",) if without else ()
    try:
        labels, label_names = _number(
            {name: _label_of(rows, name) for name in names if name not in bare}, ordered, where
        )
    except DataError as error:
        return None, None, str(error), (f"read without labels: {error}",)
    return labels, label_names, None, notes


def _label_of(rows: Mapping[str, Row], name: str) -> Label | None:
    row = rows.get(name)
    return None if row is None else row.label


def _number(
    classes: Mapping[str, Label | None], ordered: Sequence[str], where: str
) -> tuple[Labels, tuple[str, ...] | None]:
    """Turn the classes of metadata into integers: integers stay as they are, texts are sorted and numbered."""
    if all(isinstance(label, int) for label in classes.values()):
        values = [classes[name] for name in ordered if name in classes]
        known = iter(check_labels(np.array(values, dtype=object), len(values), where).tolist())
        return np.array([next(known) if name in classes else NO_LABEL for name in ordered], dtype=np.int64), None
    label_names = tuple(sorted({str(label) for label in classes.values()}))
    number = {label: i for i, label in enumerate(label_names)}
    return np.array(
        [number[str(classes[name])] if name in classes else NO_LABEL for name in ordered], dtype=np.int64
    ), label_names

"""Data sets in memory as a source: those of PyTorch, of Hugging Face, and anything that behaves like them.

A data set has a length and items by number, or else is iterated over. An item is an image, a pair (image, label), or a
dict of columns. An image is a Pillow image, or whole numbers 0..255 as uint8 with one shape of `[H, W]`,
`[H, W, C]` and `[C, H, W]`. Where the last two are both possible, a NumPy array has its channels last and a tensor
its channels first, as is the custom on either side.
"""

from __future__ import annotations

import operator
from array import array
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, SupportsIndex, cast

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from nextpixel.data.decode import decode, from_pillow
from nextpixel.data.entries import Unusable
from nextpixel.data.labels import check_label_names
from nextpixel.data.source import NO_LABEL, Layout, Picture, Rejected
from nextpixel.data.sources.split_names import SPLITS, split_of
from nextpixel.errors import DataError
from nextpixel.runtime.one_line import one_line

IMAGE_COLUMNS = ("image", "img", "images")
LABEL_COLUMNS = ("label", "labels")


class DatasetSource:
    """Data sets, one a split, read in order.

    Args:
        name: short name for people.
        parts: name of each split, or None, and its data set.
    """

    levels = 256

    def __init__(self, name: str, parts: Sequence[tuple[str | None, Any]]) -> None:
        self.name = name
        self._parts = parts
        self._labels: array[int] = array("q")
        self._counts: dict[str, int] = {}

    @property
    def stamp(self) -> object:
        """What Hugging Face tells its data sets apart by; nothing else does."""
        prints = [getattr(data, "_fingerprint", None) for _, data in self._parts]
        if not all(isinstance(fingerprint, str) for fingerprint in prints):
            return None
        return ["dataset", [[split, fingerprint] for (split, _), fingerprint in zip(self._parts, prints, strict=True)]]

    def expected(self) -> int | None:
        """The length of all, where they have one."""
        lengths = [len(data) if _by_number(data) else None for _, data in self._parts]
        return None if None in lengths else sum(filter(None, lengths))

    def direct(self) -> None:
        """Items have to be asked for one by one."""

    def stream(self) -> Iterator[Picture | Rejected]:
        """Yield every image in order, and keep the labels for `layout`.

        Raises:
            DataError: if an item cannot be read or is no image.
        """
        self._labels = array("q")
        self._counts = {}
        for split, data in self._parts:
            columns = _columns(data)
            data = _undecoded(data, columns[0])
            for number, item in enumerate(self._items(data)):
                where = f"item {number} of {self.name if split is None else f'the split {split} of {self.name}'}"
                image, label = _image_and_label(item, columns, where)
                picture = _picture(image, where)
                self._labels.append(NO_LABEL if label is None else _label(label, where))
                if split is not None:
                    self._counts[split] = self._counts.get(split, 0) + 1
                yield picture

    def layout(self, kept: Sequence[str | None], rejected: Sequence[str]) -> Layout:  # noqa: ARG002 - see Source
        """Splits and labels."""
        labels = np.array(self._labels, dtype=np.int64)
        missing = labels == NO_LABEL
        if missing.all():
            return Layout(splits=self._counts)
        notes: tuple[str, ...] = ()
        if missing.any():
            parts = np.split(missing, np.cumsum(list(self._counts.values()))[:-1]) if self._counts else [missing]
            if any(part.any() and not part.all() for part in parts):
                return Layout(splits=self._counts, notes=("no labels, since only some of the images have them",))
            bare = [name for name, part in zip(self._counts, parts, strict=True) if part.any()]
            notes = (f"no labels for {' and '.join(bare)}",)
        names = _label_names(self._parts[0][1])
        if names is not None:
            names = check_label_names(names, labels, self.name)
        return Layout(splits=self._counts, labels=labels, label_names=names, notes=notes)

    def _items(self, data: Any) -> Iterator[object]:
        items = (data[number] for number in range(len(data))) if _by_number(data) else iter(data)
        number = 0
        while True:
            try:
                item = next(items)
            except StopIteration:
                return
            except DataError:
                raise
            except Exception as error:
                # Whatever the data set of someone else raises: no list of errors could hold it all.
                reason = one_line(error, 200)
                raise DataError(f"item {number} of {self.name} cannot be read ({reason}): mend the data set") from error
            yield item
            number += 1


def is_dataset(source: object) -> bool:
    """Whether images can be had from an object one by one."""
    if isinstance(source, Mapping):
        return bool(source) and all(is_dataset(data) for data in source.values())
    return not isinstance(source, bytes) and (_by_number(source) or hasattr(source, "__iter__"))


def open_dataset(source: object, name: str | None = None) -> DatasetSource:
    """Take a data set, or several by split in a dict; nothing is read yet.

    Args:
        source: the data set.
        name: short name for people; None for that of its class.

    Raises:
        DataError: if two splits of a dict mean the same.
    """
    if not isinstance(source, Mapping):
        return DatasetSource(name or type(source).__name__, [(None, source)])
    parts: dict[str, object] = {}
    for key, data in source.items():
        split = split_of(str(key)) or str(key)
        if split in parts:
            raise DataError(f"the data sets have two splits that mean {split}, one of them {key!r}: leave one out")
        parts[split] = data
    ordered = sorted(parts, key=lambda split: SPLITS.index(split) if split in SPLITS else len(SPLITS))
    first = next(iter(parts.values()))
    return DatasetSource(name or type(first).__name__, [(split, parts[split]) for split in ordered])


def _by_number(data: object) -> bool:
    """Whether a data set has items by number; PyTorch's iterable ones inherit a method that only says no."""
    iterable = any(base.__name__ == "IterableDataset" for base in type(data).__mro__)
    return hasattr(data, "__len__") and hasattr(data, "__getitem__") and not iterable


def _columns(data: object) -> tuple[str | None, str | None]:
    """The columns of images and labels as the features of a Hugging Face set name them, where it has any."""
    features = getattr(data, "features", None)
    if not isinstance(features, Mapping):
        return None, None
    images = [name for name, kind in features.items() if type(kind).__name__ == "Image"]
    classes = [name for name, kind in features.items() if type(kind).__name__ == "ClassLabel"]
    return _only(images), next((name for name in LABEL_COLUMNS if name in features), _only(classes))


def _undecoded(data: object, column: str | None) -> object:
    """A set of Hugging Face whose images come as files, since its images in memory do not tell how deep those are."""
    features = getattr(data, "features", None)
    if column is None or not isinstance(features, Mapping) or not hasattr(data, "cast_column"):
        return data
    if not hasattr(features[column], "decode"):
        return data
    return data.cast_column(column, type(features[column])(decode=False))


def _only(names: list[str]) -> str | None:
    return names[0] if len(names) == 1 else None


def _label_names(data: object) -> tuple[str, ...] | None:
    """Names of the labels: of the class column, or as torchvision's sets have them."""
    features, (_, column) = getattr(data, "features", None), _columns(data)
    names = getattr(features[column], "names", None) if column and features else getattr(data, "classes", None)
    if isinstance(names, list | tuple) and names and all(isinstance(name, str) for name in names):
        return tuple(names)
    return None


def _image_and_label(item: object, columns: tuple[str | None, str | None], where: str) -> tuple[object, object]:
    if isinstance(item, Mapping):
        image = columns[0] or next((name for name in IMAGE_COLUMNS if name in item), None)
        label = columns[1] or next((name for name in LABEL_COLUMNS if name in item), None)
        if image is None or image not in item:
            columns_found = ", ".join(map(str, list(item)[:8])) or "nothing"
            raise DataError(f"{where} holds {columns_found} but no image: call the column of images image")
        return item[image], item.get(label) if label else None
    if isinstance(item, tuple | list) and item:
        return item[0], item[1] if len(item) > 1 else None
    return item, None


def _label(label: object, where: str) -> int:
    try:
        number = operator.index(cast(SupportsIndex, label))
    except TypeError:
        raise DataError(
            f"{where} has the label {str(label)[:40]!r}, which must be a whole number: give (image, number) or the"
            " image alone"
        ) from None
    if not NO_LABEL <= number < 2**63:
        raise DataError(f"{where} has the label {number}, which must be from 0 to 2**63 - 1: number them anew")
    return number


def _picture(image: object, where: str) -> Picture:
    if isinstance(image, Mapping) and ("bytes" in image or "path" in image):
        try:
            path = image.get("path")
            data = image.get("bytes")
            content = Path(str(path)).read_bytes() if data is None else bytes(data)
            return replace(decode(str(path or ""), content, deep=True), name=None)
        except Unusable as reason:
            raise DataError(f"{where} {reason}: convert or leave it out") from reason
        except OSError as error:
            raise DataError(f"{where} cannot be read ({error.strerror}): check that its file is there") from error
    if isinstance(image, Image.Image):
        try:
            return from_pillow(image, deep=True)
        except Unusable as reason:
            raise DataError(f"{where} {reason}: convert or leave it out") from reason
    tensor = isinstance(image, torch.Tensor)
    values = image.detach().cpu().numpy() if isinstance(image, torch.Tensor) else image
    if not isinstance(values, np.ndarray):
        raise DataError(
            f"{where} is a {type(image).__name__} and must be a Pillow image or an array of uint8: return (image,"
            " label) or the image alone"
        )
    if values.dtype != np.uint8:
        raise DataError(
            f"{where} is of {values.dtype} and must be whole numbers 0..255 as uint8, since likelihoods are of whole"
            " numbers: leave out ToTensor and other scalings (torchvision's PILToTensor keeps them)"
        )
    return Picture(None, _channels_first(values, tensor, where))


def _channels_first(values: NDArray[np.uint8], tensor: bool, where: str) -> NDArray[np.uint8]:
    """uint8 `[C, H, W]`, by the custom of its side where its shape leaves a choice."""
    shape = values.shape
    if values.ndim == 2 and min(shape) > 0:
        return values[None]
    if values.ndim == 3 and min(shape) > 0:
        first, last = shape[0] <= 4, shape[2] <= 4
        if first and (tensor or not last):
            return values
        if last:
            return values.transpose(2, 0, 1)
    raise DataError(f"{where} has the shape {list(shape)} and needs [H, W], [H, W, C] or [C, H, W], C up to 4")

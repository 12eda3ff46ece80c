"""File names of millions of images without a Python text for each: one run of bytes, and where each name ends."""

from __future__ import annotations

import operator
from collections.abc import Iterable, Sequence
from typing import SupportsIndex, overload

import numpy as np

from nextpixel.data.source import Labels, Pixels
from nextpixel.errors import DataError


class StoredNames(Sequence[str]):
    """Names that are decoded when they are asked for.

    Args:
        text: uint8 `[bytes]`: all names in UTF-8, one after another.
        ends: int64 `[N]`: where each name ends.
        where: what to call the set in errors.
    """

    def __init__(self, text: Pixels, ends: Labels, where: str) -> None:
        self._text = text
        self._ends = ends
        self._where = where

    def __len__(self) -> int:
        return len(self._ends)

    @overload
    def __getitem__(self, index: SupportsIndex) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[str, ...]: ...
    def __getitem__(self, index: SupportsIndex | slice) -> str | tuple[str, ...]:
        """One name or several.

        Raises:
            DataError: if the files of names are damaged.
        """
        if isinstance(index, slice):
            return tuple(self[i] for i in range(*index.indices(len(self))))
        number = operator.index(index)
        if not -len(self) <= number < len(self):
            raise IndexError(f"name {number} asked of {len(self)}")
        number %= len(self)
        start, end = int(self._ends[number - 1]) if number else 0, int(self._ends[number])
        try:
            if not 0 <= start <= end <= len(self._text):
                raise ValueError
            return self._text[start:end].tobytes().decode(errors="surrogatepass")
        except ValueError as error:
            raise DataError(f"the file names of {self._where} are damaged: prepare the set anew") from error


def encode_names(names: Iterable[str], count: int) -> tuple[bytearray, Labels]:
    """The bytes and the ends of so many names; names that are no proper text survive too."""
    text, ends = bytearray(), np.empty(count, dtype=np.int64)
    for number, name in enumerate(names):
        text += name.encode(errors="surrogatepass")
        ends[number] = len(text)
    return text, ends

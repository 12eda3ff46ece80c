"""The source made of image files, whether they lie in a folder or in an archive."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from nextpixel.data.decode import decode
from nextpixel.data.entries import Entries, Unreachable, Unusable, is_metadata, told
from nextpixel.data.source import Layout, Picture, Pixels, Rejected
from nextpixel.data.sources.layout import arrange
from nextpixel.errors import DataError


class FileSource:
    """Image files and tables of labels, read one after another.

    Args:
        name: short name for people.
        where: the source as the user wrote it, for errors.
        stamp: finds the stamp of `Source`, which may take a walk through a folder.
        entries: starts a pass over the files that matter.
        expected: counts the images, where that is cheap.
    """

    levels = 256

    def __init__(
        self,
        name: str,
        where: str,
        stamp: Callable[[], object],
        entries: Entries,
        expected: Callable[[], int] | None = None,
    ) -> None:
        self.name = name
        self._stamp = stamp
        self._expected = expected
        self._where = where
        self._entries = entries
        self._tables: dict[str, bytes] = {}
        self._passed: Counter[str] = Counter()

    @property
    def stamp(self) -> object:
        """See `Source`."""
        return self._stamp()

    def expected(self) -> int | None:
        """See `Source`."""
        return None if self._expected is None else self._expected()

    def direct(self) -> Pixels | None:
        """Files always have to be decoded."""
        return None

    def stream(self) -> Iterator[Picture | Rejected]:
        """Yield every image decoded, in the order the files come, and keeps the tables for `layout`."""
        self._tables, self._passed = {}, Counter()
        for entry in self._entries(self._passed):
            if is_metadata(entry.name):
                try:
                    self._tables[entry.name] = entry.read()
                except Unusable as reason:
                    raise DataError(f"{entry.name} in {self._where} {reason}: mend or remove it") from reason
                continue
            try:
                picture = decode(entry.name, entry.read(), deep=True)
            except Unusable as reason:
                yield Rejected(entry.name, str(reason), isinstance(reason, Unreachable))
            else:
                yield picture

    def layout(self, kept: Sequence[str | None], rejected: Sequence[str]) -> Layout:
        """Find splits and labels in the names and tables."""
        layout = arrange([name for name in kept if name is not None], rejected, self._tables, self._where)
        if not self._passed:
            return layout
        return replace(layout, notes=(*layout.notes, f"passed over {told(self._passed)}, which are not read"))

"""Dividing a set into batches, and telling how far they are."""

from __future__ import annotations

from collections.abc import Iterator

from nextpixel.runtime.progress import Advance


def batches(count: int, size: int) -> Iterator[slice]:
    """Slices that cover `range(count)`, the last one as short as it must be."""
    for start in range(0, count, size):
        yield slice(start, min(start + size, count))


def divided(count: int, size: int, processes: int) -> list[slice]:
    """Likewise, but with at least one slice for each of several processes, as far as there are things for them."""
    return list(batches(count, max(1, min(size, -(-count // processes)))))


def scaled(advance: Advance | None, part: int, whole: int) -> Advance | None:
    """A function that passes on `part / whole` of the counts it is given; in all it is exact."""
    if advance is None or part == whole or not whole:
        return advance
    seen = 0

    def count(number: int) -> None:
        nonlocal seen
        before = seen * part // whole
        seen += number
        if seen * part // whole > before:
            advance(seen * part // whole - before)

    return count

"""Dividing a set into batches."""

from __future__ import annotations

from collections.abc import Iterator


def batches(count: int, size: int) -> Iterator[slice]:
    """Slices that cover `range(count)`, the last one as short as it must be."""
    for start in range(0, count, size):
        yield slice(start, min(start + size, count))


def divided(count: int, size: int, processes: int) -> list[slice]:
    """Likewise, but with at least one slice for each of several processes, as far as there are things for them."""
    return list(batches(count, max(1, min(size, -(-count // processes)))))

"""Parts of a set: its splits, and what is held out for validation."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from nextpixel.errors import DataError

Places = NDArray[np.int64]


def places_of_split(splits: Mapping[str, int], name: str, source: str) -> Places:
    """The places of a split in its set, int64 `[M]`.

    Args:
        splits: names and sizes of all splits, in order.
        name: of the split.
        source: name of the set.

    Raises:
        DataError: there is none of that name; the message lists those there are.
    """
    if name not in splits:
        there = f"it has {', '.join(splits)}" if splits else "it has none, so leave --split out"
        raise DataError(f"{source} has no split {name!r}: {there}")
    names = list(splits)
    start = sum(splits[other] for other in names[: names.index(name)])
    return np.arange(start, start + splits[name])


def places_held_out(count: int, fraction: float, source: str, what: str) -> tuple[Places, Places]:
    """Divide places 0..count-1 in two, the second for validation; always in the same way, so that runs can be compared.

    Args:
        count: of what the set holds.
        fraction: the part that is held out, rounded to whole ones, of which it is at least one.
        source: name of the set.
        what: one of what it holds is called, `image` or `picture`.

    Returns:
        Both in ascending order.

    Raises:
        DataError: that leaves none to train on, or the fraction is not between 0 and 1.
    """
    if not 0 < fraction < 1:
        raise DataError(f"the part of the {what}s to hold out is {fraction} and must be between 0 and 1")
    held_out = max(1, round(fraction * count))
    if held_out >= count:
        raise DataError(f"{source} has {count} {what}(s), too few to hold out validation {what}s: add more")
    order = np.random.default_rng(0).permutation(count)
    return np.sort(order[held_out:]), np.sort(order[:held_out])

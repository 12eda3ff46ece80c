"""Checks of options and other arguments: the right kind of number, in range, as a plain Python value."""

from __future__ import annotations

import math
import operator
from numbers import Real
from typing import SupportsIndex

from nextpixel.errors import ModelError, NextpixelError

MOST_LAYERS, MOST_FEATURES, MOST_SIDE, MOST_VALUES = 1000, 2**16, 2**20, 2**24
"""Far beyond what anyone can train, so that a description that comes from a file cannot ask for endless work."""
LONGEST_SIDE = 255
"""Of a kernel or a window, in pixels."""


def integer(
    name: str, value: object, least: int, most: int | None = None, *, error: type[NextpixelError] = ModelError
) -> int:
    """An integer in range, also from NumPy.

    Args:
        name: how the error names it.
        value: what was given.
        least: the smallest that is allowed.
        most: the largest; None for any.
        error: what is raised.

    Raises:
        NextpixelError: `error`, where it is not one.
    """
    try:
        # An array of several numbers says that it can, and then cannot.
        number = operator.index(value) if isinstance(value, SupportsIndex) else least - 1
    except TypeError:
        number = least - 1
    if isinstance(value, bool) or number < least or (most is not None and number > most):
        allowed = f"of at least {least}" if most is None else f"from {least} to {most}"
        raise error(f"{name} must be an integer {allowed}, not {value!r}")
    return number


def real(value: object) -> float | None:
    """A finite real number, also from NumPy, as a float; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, Real):
        return None
    number = float(value)
    return number if math.isfinite(number) else None


def odd_size(name: str, value: object, least: int = 3) -> int:
    """The odd side of a kernel, from `least` to `LONGEST_SIDE`.

    Raises:
        ModelError: it is not one.
    """
    try:
        number = integer(name, value, least, LONGEST_SIDE)
    except ModelError:
        number = 0
    if number % 2 == 0:
        raise ModelError(
            f"{name} must be odd, from {least} to {LONGEST_SIDE}, so that a kernel has a centre, not {value!r}"
        )
    return number


def probability(name: str, value: object) -> float:
    """A number from 0 to below 1.

    Raises:
        ModelError: it is not one.
    """
    number = real(value)
    if number is None or not 0 <= number < 1:
        raise ModelError(f"{name} must be at least 0 and below 1, not {value!r}")
    return number


def switch(name: str, value: object) -> bool:
    """True or False.

    Raises:
        ModelError: it is something else.
    """
    if not isinstance(value, bool):
        raise ModelError(f"{name} must be True or False, not {value!r}")
    return value

"""The most memory that this process has had from a moment on, as Linux counts it."""

from __future__ import annotations

import os
import resource
from functools import cache


@cache
def _clear_refs() -> int:
    return os.open("/proc/self/clear_refs", os.O_WRONLY)


def peak() -> int:
    """The most memory that this process has had since `forget_peak`, in bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def forget_peak() -> None:
    """Begin to look for the most memory anew."""
    os.write(_clear_refs(), b"5")

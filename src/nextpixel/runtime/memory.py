"""Memory that a training step frees is kept for the next one."""

from __future__ import annotations

import ctypes
import sys

# Of glibc's malloc.h.
M_TRIM_THRESHOLD, M_MMAP_MAX = -1, -4


def keep_freed_memory() -> bool:
    """Tell the C library not to hand freed memory back to the operating system.

    A step makes and frees hundreds of large tensors. By default most of them come from new pages, which the kernel
    zeroes one by one as they are first touched: up to a third of a step. From now on the process keeps what it has
    used, so its memory does not shrink before it ends; its peak stays what it was.

    Returns:
        Whether it was done; where the C library is not glibc nothing happens.
    """
    if sys.platform != "linux":
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        return False
    # No mappings of their own for large blocks, and no end of the heap that is given back.
    return bool(mallopt(M_MMAP_MAX, 0)) and bool(mallopt(M_TRIM_THRESHOLD, -1))

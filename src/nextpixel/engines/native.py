"""Whether the compiled engine is there, and how long compiling it took.

numba (extra `fast`) compiles it when it is first used, which takes some seconds, and keeps the result beside the
package or, where that cannot be written, in the user's cache. Where numba is missing, NumPy decodes and PyTorch
samples.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from functools import lru_cache

SLOW = 2.0
"""Seconds from which on compiling is told."""

Kernel = Callable[..., None]
"""`nextpixel.engines.kernel.run`."""

log = logging.getLogger(__name__)


@lru_cache(maxsize=1)
def kernel() -> Kernel | None:
    """The compiled engine; None without a numba that works here."""
    try:
        from nextpixel.engines.kernel import run
    except (ImportError, RuntimeError) as error:
        # numba itself raises a RuntimeError where it finds no place for what it compiles.
        log.info("nothing is compiled (%s): NumPy decodes and PyTorch samples", error)
        return None

    compiled: Kernel = run

    def told(*arguments: object) -> None:
        if first:
            compiled(*arguments)
            return
        start = time.perf_counter()
        _compiling.set()
        try:
            compiled(*arguments)
        finally:
            _compiling.clear()
        # Of threads that waited for one compilation together, the first says so.
        if first:
            return
        first.append(time.perf_counter() - start)
        if first[0] > SLOW:
            log.warning("compiled the engine in %.0f s; the result is kept for the next time", first[0])

    first: list[float] = []
    return told


_compiling = threading.Event()


def compiling() -> bool:
    """Whether the engine is just being compiled, or what was kept of it read."""
    return _compiling.is_set()


def note() -> str:
    """Which engines take the steps here, in a few words for people."""
    if kernel() is None:
        return "PyTorch samples and NumPy decodes; pip install 'nextpixel[fast]' for a compiled one"
    return "compiled for few images at once and for the codec, PyTorch for many"

"""Whether the compiled engine is there.

numba (extra `fast`) compiles it when it is first used, which takes some seconds, and keeps the result beside the
package or, where that cannot be written, in the user's cache. Where numba is missing, NumPy decodes and PyTorch
samples.
"""

from __future__ import annotations

import logging
from functools import lru_cache

from nextpixel.runtime.compilation import LateCompiled

log = logging.getLogger(__name__)


@lru_cache(maxsize=1)
def kernel() -> LateCompiled | None:
    """The compiled engine, `nextpixel.engines.kernel.run`; None without a numba that works here."""
    try:
        from nextpixel.engines.kernel import run
    except (ImportError, RuntimeError) as error:
        # numba itself raises a RuntimeError where it finds no place for what it compiles.
        log.info("nothing is compiled (%s): NumPy decodes and PyTorch samples", error)
        return None
    return LateCompiled(run, "the engine", seconds=15)


def note() -> str:
    """Which engines take the steps here, in a few words for people."""
    if kernel() is None:
        return "PyTorch samples and NumPy decodes; pip install 'nextpixel[fast]' for a compiled one"
    return "compiled for few images at once and for the codec, PyTorch for many"

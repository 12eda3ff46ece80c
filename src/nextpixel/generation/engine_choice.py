"""Which engine computes a model step by step.

On a CPU PyTorch takes some microseconds for an operation, however small, and so a step of few images costs nearly as
much as one of many. The compiled engine (`nextpixel.engines.compiled`) takes next to nothing for it, and is somewhat
slower where there is much to multiply. So a sub-pixel of all images that are drawn together decides: up to
`MOST_PRODUCTS` products it is compiled, beyond that it is PyTorch's. On a GPU PyTorch takes all steps, by CUDA graphs
(`nextpixel.generation.rows`) where the steps of a family can be captured.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Literal

MOST_PRODUCTS = 16_000_000

Engine = Literal["compiled", "pytorch", "captured"]
"""What takes steps: compiled code, PyTorch operation by operation, or PyTorch by CUDA graphs."""

_only: ContextVar[Engine | None] = ContextVar("only", default=None)


@contextmanager
def only(engine: Engine) -> Iterator[None]:
    """Let one engine take all steps that it can, as checks of both do."""
    token = _only.set(engine)
    try:
        yield
    finally:
        _only.reset(token)


def prefers_compiled(products: int, threads: int) -> bool:
    """Whether steps are compiled.

    Args:
        products: of a sub-pixel of all images that are drawn together.
        threads: that share them.
    """
    chosen = _only.get()
    return products <= MOST_PRODUCTS * threads if chosen is None else chosen == "compiled"


def prefers_captured() -> bool:
    """Whether steps on a GPU are captured, where they can be."""
    return _only.get() in (None, "captured")

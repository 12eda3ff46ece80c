"""`Progress`: what long work tells whoever watches it; the one protocol for that. No PyTorch here.

Work that is one loop takes a function `advance` and calls it with counts of what is done. Work of several parts takes a
`Progress` and asks it for such a function for each part.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

Advance = Callable[[int], None]
"""Takes how much more is done, in the unit of the work's total."""


@dataclass(frozen=True)
class Status:
    """Where a training run stands.

    Attributes:
        step: steps done.
        progress: part of the run done, 0 to 1.
        bits_per_dim: of the last training batches.
        images_per_second: over the last seconds.
        seconds_left: estimated.
        valid: bits per dimension of the last validation; None before the first.
    """

    step: int
    progress: float
    bits_per_dim: float
    images_per_second: float
    seconds_left: float
    valid: float | None


class Progress:
    """Hears of the progress of work; this one ignores it, and others override what they want to hear."""

    @contextmanager
    def task(self, description: str, total: int | None) -> Iterator[Advance]:  # noqa: ARG002 - for those who show it
        """Follow one part of the work, while the block runs.

        Args:
            description: what is done, in a word or two.
            total: how much there is to do; None where that is not known.

        Yields:
            The function that is called with how much more is done.
        """
        yield lambda _count: None

    @contextmanager
    def training(self) -> Iterator[Callable[[Status], None]]:
        """Follow a training run, while the block runs.

        Yields:
            The function that is called with where the run stands.
        """
        yield lambda _status: None

    def note(self, text: str) -> None:
        """Hear of something that is worth a line."""


SILENT = Progress()
"""What work reports to where nobody watches."""

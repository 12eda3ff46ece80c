"""What a training run tells to whoever watches it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Status:
    """Where a run stands.

    Attributes:
        step: steps done.
        progress: part of the run done, 0 to 1.
        bits_per_dim: of the last training batch.
        images_per_second: over the last seconds.
        seconds_left: estimated.
        valid: bits/dim of the last validation; None before the first.
    """

    step: int
    progress: float
    bits_per_dim: float
    images_per_second: float
    seconds_left: float
    valid: float | None


class Reporter:
    """Hears of the run's progress; this one ignores it."""

    def status(self, status: Status) -> None:
        """A step is done."""

    def note(self, text: str) -> None:
        """Something worth a line has happened."""

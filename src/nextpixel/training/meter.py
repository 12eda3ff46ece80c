"""Mean loss and speed of the last steps, and how long a step takes."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager


class Meter:
    """Mean loss and speed of the steps since the last restart."""

    def __init__(self) -> None:
        self.restart()

    def restart(self) -> None:
        """Forget what was added."""
        self.images = 0
        self.total = 0.0
        self.start = time.monotonic()

    def add(self, images: int, nats: float) -> None:
        """Add a step over so many images, with this mean of nats per image."""
        self.images += images
        self.total += nats * images

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Leave out the time that is spent inside."""
        before = time.monotonic()
        yield
        self.start += time.monotonic() - before

    @property
    def nats(self) -> float:
        """Mean nats per image."""
        return self.total / self.images

    @property
    def images_per_second(self) -> float:
        """Images per second."""
        return self.images / max(time.monotonic() - self.start, 1e-9)


class Pace:
    """How long a step takes, as a moving average; without the first one, in which a network may be compiled."""

    MEMORY = 0.9

    def __init__(self) -> None:
        self._seconds: float | None = None
        self._is_first = True

    def add(self, seconds: float) -> None:
        """Add a step that took so many seconds."""
        if self._is_first:
            self._is_first = False
        elif self._seconds is None:
            self._seconds = seconds
        else:
            self._seconds += (1 - self.MEMORY) * (seconds - self._seconds)

    @property
    def seconds(self) -> float:
        """Seconds of a step; 0 before there were two."""
        return self._seconds or 0.0

"""What is compiled at its first call: it is told, counts in no forecast, and Ctrl-C is taken meanwhile.

No PyTorch here, and nothing of the compiler.
"""

from __future__ import annotations

import logging
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, wait
from contextlib import contextmanager, suppress
from typing import NoReturn

SLOW = 2.0
"""Seconds from which on compiling is told: what was kept is read sooner."""
SECONDS_BETWEEN_LOOKS = 0.1

log = logging.getLogger(__name__)


class LateCompiled:
    """A function that is compiled when it is first called, which takes seconds unless it was kept.

    In the main thread the first call is left to another one and waited for. The compiler runs Python in which an
    exception is lost, and native code that no signal interrupts; so Ctrl-C is taken at once, and does it no harm. What
    is compiled then goes on being compiled, and is there for the next call; see `leave`.

    Threads may call it at the same time: the compiler lets them wait for one compilation.

    Args:
        function: the function.
        name: what it is, for people.
        seconds: about how long compiling takes.
        kept: whether what is compiled is there the next time that nextpixel runs.

    Attributes:
        ready: whether it is compiled.
    """

    def __init__(self, function: Callable[..., None], name: str, *, seconds: int, kept: bool = True) -> None:
        self._function = function
        how_often = "once for each installation" if kept else "each time, as there is no place to keep it"
        self._told = f"compiling {name}, {how_often}: some {seconds} seconds"
        self.ready = False

    def __call__(self, *arguments: object) -> None:
        """Call the function."""
        if self.ready:
            self._function(*arguments)
        elif threading.current_thread() is threading.main_thread():
            _leave_to_another_thread(lambda: self._call_first(arguments))
        else:
            self._call_first(arguments)

    def _call_first(self, arguments: tuple[object, ...]) -> None:
        # Of threads that wait for one compilation together, the first says so.
        with _clock.stopped(self._told) as first:
            teller = threading.Timer(SLOW, log.warning, (self._told,))
            teller.daemon = True
            if first:
                teller.start()
            try:
                self._function(*arguments)
            finally:
                teller.cancel()
        self.ready = True


def compiling() -> bool:
    """Whether something is just being compiled, or what was kept of it read."""
    return _clock.stopped_for() is not None


def leave(code: int) -> NoReturn:
    """End the process with an exit code, without waiting for what is still compiled after Ctrl-C."""
    if compiling():
        # Nothing ends the compiler's thread in order, and nobody needs what it makes.
        for stream in (sys.stdout, sys.stderr):
            with suppress(OSError, ValueError):
                stream.flush()
        os._exit(code)
    sys.exit(code)


def what_is_compiled() -> str | None:
    """Tell what is just being compiled, if that has taken a while and is to be told."""
    seconds = _clock.stopped_for()
    return _clock.why if seconds is not None and seconds >= SLOW else None


def working_time() -> float:
    """Tell the seconds on a clock that stands still while something is compiled."""
    return _clock.now()


class _Clock:
    """A clock that can be stopped, by several threads at once.

    Attributes:
        why: what the first of those who stop it told.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._stops, self._since, self._lost = 0, 0.0, 0.0
        self.why = ""

    def now(self) -> float:
        """Seconds from some moment on, without those in which the clock was stopped."""
        with self._lock:
            return (self._since if self._stops else time.monotonic()) - self._lost

    def stopped_for(self) -> float | None:
        """The seconds since it was stopped; None while it goes."""
        with self._lock:
            return time.monotonic() - self._since if self._stops else None

    @contextmanager
    def stopped(self, why: str) -> Iterator[bool]:
        """Stop it while the block runs.

        Args:
            why: what is told of it.

        Yields:
            Whether nobody else stops it already.
        """
        with self._lock:
            first = not self._stops
            if first:
                self._since, self.why = time.monotonic(), why
            self._stops += 1
        try:
            yield first
        finally:
            with self._lock:
                self._stops -= 1
                if not self._stops:
                    self._lost += time.monotonic() - self._since


_clock = _Clock()


def _leave_to_another_thread(work: Callable[[], None]) -> None:
    """Do work in another thread, and wait for it in a way that signals end."""
    outcome: Future[None] = Future()

    def do() -> None:
        try:
            work()
        except BaseException as error:
            outcome.set_exception(error)
        else:
            outcome.set_result(None)

    # Not waited for at the end of the process, which may come first.
    threading.Thread(target=do, daemon=True, name="nextpixel compiling").start()
    while not wait([outcome], SECONDS_BETWEEN_LOOKS).done:
        pass
    outcome.result()

"""Stopping a run in good order when the system or the user asks for it."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from nextpixel.errors import TrainingError

SIGNALS = [number for name in ("SIGINT", "SIGTERM", "SIGHUP") if (number := getattr(signal, name, None)) is not None]


class Interrupted(TrainingError):  # noqa: N818 - it is a request, not a fault
    """The run was asked to stop, and has written its checkpoint."""

    exit_code = 130


class StopRequest:
    """Whether a run was asked to stop.

    Args:
        note: takes what the user is told when the request arrives.
        insist: whether signals after the first are requests too, instead of acting as usual. Launchers of several
            processes send a signal of their own after that of the terminal.
    """

    def __init__(self, note: Callable[[str], None], *, insist: bool) -> None:
        self.made = False
        self._note = note
        self._insist = insist

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Take Ctrl-C, SIGTERM and SIGHUP for a request, while the block runs; outside the main thread nothing is."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {number: signal.getsignal(number) for number in SIGNALS}

        def request(_number: int, _frame: FrameType | None) -> None:
            self.made = True
            if self._insist:
                self._note("stopping after this step, to write the checkpoint")
                return
            self._note("stopping after this step, to write the checkpoint; once more stops at once, without it")
            for number, handler in before.items():
                signal.signal(number, handler)

        for number, handler in before.items():
            # What was ignored stays ignored: nohup does so with SIGHUP.
            if handler != signal.SIG_IGN:
                signal.signal(number, request)
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

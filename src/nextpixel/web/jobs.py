"""The queue of work on models: one at a time, so many waiting and no more; drawing ends when the browser goes away."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import AsyncIterator, Callable
from concurrent.futures import Future, ThreadPoolExecutor

from nextpixel.errors import NextpixelError

SECONDS_BETWEEN_FRAMES, MOST_UNREAD = 0.08, 8
MOST_SECONDS = 600
SECONDS_OF_PREPARING = 60

Event = dict[str, object]


class BusyError(NextpixelError):
    """The queue is full."""


class LateError(NextpixelError):
    """The work takes longer than the page allows."""


class GoneError(Exception):
    """Nobody waits for the work any more."""


class Job:
    """A piece of work, and what it tells while it is done.

    Args:
        loop: where it is waited for.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._queue: asyncio.Queue[Event | None] = asyncio.Queue()
        self._gone = threading.Event()
        self._waiting: Future[None] | None = None
        self._last_frame = 0.0
        self._start = time.monotonic()

    def wait(self, turn: Future[None]) -> None:
        """Wait for a turn, which is given back if nobody waits any more before it comes."""
        self._waiting = turn

    def begin(self) -> None:
        """The work's turn has come."""
        self._start = time.monotonic()
        self.check()

    def tell(self, event: Event) -> None:
        """Send an event to whoever waits."""
        self._post(event)

    def frame(self, event: Callable[[], Event]) -> None:
        """Send an event that a later one makes needless; not too often, and not to a reader who is behind."""
        self.check()
        now = time.monotonic()
        if now - self._last_frame >= SECONDS_BETWEEN_FRAMES and self._queue.qsize() < MOST_UNREAD:
            self._last_frame = now
            self._post(event())

    def check(self, _: int = 0) -> None:
        """End the work here if nobody waits for it, or if it has been done for too long.

        Raises:
            GoneError: nobody waits.
            LateError: it takes longer than `MOST_SECONDS`.
        """
        if self._gone.is_set():
            raise GoneError
        if time.monotonic() - self._start > MOST_SECONDS:
            raise LateError(f"this takes more than {MOST_SECONDS // 60} minutes; ask for less, or use the commands")

    def give_up(self) -> None:
        """Say that nobody waits any more."""
        self._gone.set()
        if self._waiting is not None:
            self._waiting.cancel()

    def end(self) -> None:
        """No event follows."""
        self._post(None)

    async def events(self) -> AsyncIterator[Event]:
        """What is told, until the end; leaving early gives the work up."""
        try:
            while (event := await self._queue.get()) is not None:
                yield event
        finally:
            self.give_up()

    def _post(self, event: Event | None) -> None:
        try:
            self._loop.call_soon_threadsafe(self._queue.put_nowait, event)
        except RuntimeError:
            # The server has ended, and nobody waits.
            self._gone.set()


class Jobs:
    """The queue.

    Args:
        most: pieces of work that are done or wait at a time.
    """

    def __init__(self, most: int) -> None:
        self.most, self.count = most, 0
        self._lock = threading.Lock()
        self._executor = ThreadPoolExecutor(1, thread_name_prefix="nextpixel")

    def start(self, work: Callable[[Job], None]) -> Job:
        """Put work into the queue.

        Args:
            work: is called in another thread; what it raises is told as an event `error`.

        Raises:
            BusyError: the queue is full.
        """
        with self._lock:
            if self.count >= self.most:
                raise BusyError("the server is busy; try again in a moment")
            self.count += 1
        job = Job(asyncio.get_running_loop())
        turn = self._executor.submit(self._do, job, work)
        job.wait(turn)
        turn.add_done_callback(lambda _: self._done(job))
        return job

    def prepare(self, work: Callable[[Callable[[int], None]], None]) -> None:
        """Do something before the first piece of work, for which nobody waits.

        Args:
            work: is called in the thread of the others, with a function that it calls now and then, which ends it after
                `SECONDS_OF_PREPARING`.
        """
        until = time.monotonic() + SECONDS_OF_PREPARING

        def check(_: int) -> None:
            if time.monotonic() > until:
                raise GoneError

        def done(turn: Future[None]) -> None:
            error = turn.exception()
            # Who asks for the same will be told what is wrong.
            if error is not None and not isinstance(error, GoneError | NextpixelError):
                logging.getLogger(__name__).error("the preparation failed", exc_info=error)

        self._executor.submit(work, check).add_done_callback(done)

    def _do(self, job: Job, work: Callable[[Job], None]) -> None:
        try:
            job.begin()
            work(job)
        except GoneError:
            pass
        except NextpixelError as error:
            job.tell({"kind": "error", "error": str(error), "status": 422})
        except Exception:
            logging.getLogger(__name__).exception("a request failed")
            job.tell({"kind": "error", "error": "something went wrong in the server; its log says more", "status": 500})

    def _done(self, job: Job) -> None:
        """A piece of work has ended, or its turn was given back."""
        with self._lock:
            self.count -= 1
        job.end()

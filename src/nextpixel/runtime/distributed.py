"""The processes that torchrun started for one command.

All of them go through the same program, and each does a part of what can be divided:

    torchrun --nproc-per-node 2 -m nextpixel evaluate RUN DATA

Every process has all results, in the order that one process would have them in; files are written by the first.
Without torchrun there is one process, and nothing here costs anything. PyTorch is imported only where there are more.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Generic, TypeVar

from nextpixel.errors import NextpixelError, ProcessError

if TYPE_CHECKING:
    from torch import Tensor

T = TypeVar("T")
R = TypeVar("R")

PATIENCE = timedelta(minutes=10)
LONG_PATIENCE = timedelta(days=7)
"""How long a process waits for others that compute, and for others that read data for the first time."""


def launched_rank() -> int:
    """The number of this process among those that torchrun started; 0 without torchrun."""
    return int(os.environ.get("RANK", "0"))


def launched_count() -> int:
    """How many processes torchrun started; 1 without torchrun."""
    return int(os.environ.get("WORLD_SIZE", "1"))


@dataclass(frozen=True)
class Outcome(Generic[T]):
    """What came of some work: a value, an error that a user can mend, or neither where there was no work."""

    values: tuple[T, ...] = ()
    error: NextpixelError | None = None

    @classmethod
    def of(cls, act: Callable[[], T]) -> Outcome[T]:
        """Do the work."""
        try:
            return cls((act(),))
        except NextpixelError as error:
            return cls(error=error)

    @property
    def value(self) -> T:
        """What was made.

        Raises:
            NextpixelError: what went wrong instead.
        """
        if self.error is not None:
            raise everywhere(self.error)
        return self.values[0]


class Processes:
    """One process alone.

    Attributes:
        rank: number of this process, 0 to count - 1.
        count: how many there are.
    """

    rank, count = 0, 1

    @property
    def first(self) -> bool:
        """Whether this is the process that writes files and speaks to the user."""
        return self.rank == 0

    def share(self, total: int) -> slice:
        """This process' part of `total` things in a row; sizes differ by at most one."""
        small, larger = divmod(total, self.count)
        start = self.rank * small + min(self.rank, larger)
        return slice(start, start + small + (self.rank < larger))

    def each(self, tasks: Sequence[T], act: Callable[[T], R]) -> Iterator[R]:
        """The results of all tasks in order; the processes take the tasks in turn.

        Raises:
            NextpixelError: a task failed; in every process.
        """
        return map(act, tasks)

    def beside(self, tasks: Sequence[T], number: int) -> Sequence[T]:
        """The tasks that `each` does at the same time as the one of this number, this one included."""
        start = number // self.count * self.count
        return tasks[start : start + self.count]

    def together(self, act: Callable[[], T]) -> T:
        """Let every process do the same work; if one of them fails, all do."""
        return act()

    def machine_by_machine(self, act: Callable[[], T]) -> T:
        """Likewise, one process of each machine before the others, so that these find its caches filled."""
        return act()

    def from_first(self, act: Callable[[], T]) -> T:
        """What the first process makes; the others get a copy, and its error."""
        return act()

    def all(self, value: T) -> list[T]:
        """The values that all processes give, in order."""
        return [value]

    def sum(self, values: Tensor) -> Tensor:
        """The sum of all processes' values, which are on the CPU and of one shape."""
        return values

    @contextmanager
    def noticing_losses(self) -> Iterator[None]:
        """Inside, where another process is gone, a `ProcessError` says so."""
        yield


class Launched(Processes):
    """One of several processes, which talk to each other through `torch.distributed`."""

    def __init__(self) -> None:
        import torch.distributed as dist

        self._dist = dist
        self.rank, self.count = dist.get_rank(), dist.get_world_size()
        self._first_on_machine = int(os.environ.get("LOCAL_RANK", "0")) == 0
        self._patient: object = dist.new_group(backend="gloo", timeout=LONG_PATIENCE)

    def each(self, tasks: Sequence[T], act: Callable[[T], R]) -> Iterator[R]:
        """See `Processes`."""
        for start in range(0, len(tasks), self.count):
            tasks_here = tasks[start + self.rank : start + self.rank + 1]
            with _apart():
                outcomes = [Outcome.of(partial(act, task)) for task in tasks_here]
            yield from self._gathered(outcomes[0] if outcomes else Outcome())

    def together(self, act: Callable[[], T]) -> T:
        """See `Processes`."""
        outcome = Outcome.of(act)
        self._gathered(Outcome(error=outcome.error))
        return outcome.value

    def machine_by_machine(self, act: Callable[[], T]) -> T:
        """See `Processes`."""
        outcome: Outcome[T] = Outcome.of(act) if self._first_on_machine else Outcome()
        self._gathered(Outcome(error=outcome.error), self._patient)
        if not self._first_on_machine:
            outcome = Outcome.of(act)
        self._gathered(Outcome(error=outcome.error), self._patient)
        return outcome.value

    def from_first(self, act: Callable[[], T]) -> T:
        """See `Processes`."""
        box: list[Outcome[T]] = [Outcome.of(act) if self.first else Outcome()]
        with self.noticing_losses():
            self._dist.broadcast_object_list(box, src=0)
        return box[0].value

    def all(self, value: T) -> list[T]:
        """See `Processes`."""
        return self._gathered(Outcome((value,)))

    def sum(self, values: Tensor) -> Tensor:
        """See `Processes`."""
        total = values.clone()
        with self.noticing_losses():
            self._dist.all_reduce(total)
        return total

    def _gathered(self, outcome: Outcome[T], group: object = None) -> list[T]:
        """The values of all processes that have one; the error of the first that has one."""
        box: list[Outcome[T]] = [Outcome()] * self.count
        with self.noticing_losses():
            self._dist.all_gather_object(box, outcome, group=group)
        for error in (outcome.error for outcome in box if outcome.error is not None):
            raise everywhere(error)
        return [value for outcome in box for value in outcome.values]

    @contextmanager
    def noticing_losses(self) -> Iterator[None]:
        """See `Processes`."""
        try:
            yield
        except RuntimeError as error:
            if not (isinstance(error, self._dist.DistError) or "gloo" in str(error).lower()):
                raise
            raise ProcessError(
                "another process of this command failed or was lost, so this one stops too; see what it said, and "
                "start all of them again"
            ) from error


ALONE = Processes()
_current: Processes = ALONE


def current() -> Processes:
    """The processes that this one belongs to: those of `launched`, else itself alone."""
    return _current


def everywhere(error: NextpixelError) -> NextpixelError:
    """The error, marked as one that every process raises, so that only the first prints it."""
    error.shared = True
    return error


@contextmanager
def _apart() -> Iterator[None]:
    """Inside, this process works on something that the others do not."""
    global _current
    before, _current = _current, ALONE
    try:
        yield
    finally:
        _current = before


@contextmanager
def launched() -> Iterator[Processes]:
    """Join the processes that torchrun started; inside, work is divided among them.

    Every process has to call the same functions with the same arguments. Without torchrun nothing is joined.

    Raises:
        ProcessError: the others do not answer.
    """
    global _current
    if launched_count() == 1 or _current is not ALONE:
        yield _current
        return
    import torch
    import torch.distributed as dist

    from nextpixel.runtime.standard_output import output_as_errors

    if torch.cuda.is_available():
        torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", "0")))
    try:
        with output_as_errors():
            dist.init_process_group("cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo", timeout=PATIENCE)
            _current = Launched()
    except (RuntimeError, ValueError) as error:
        raise ProcessError(
            f"the processes that torchrun started do not find each other ({_first_line(error)}); check --nnodes, "
            "--node-rank and --master-addr"
        ) from error
    try:
        yield _current
    finally:
        _current = ALONE
        dist.destroy_process_group()


def _first_line(error: Exception) -> str:
    return str(error).strip().split("\n", maxsplit=1)[0][:200]

"""Progress bars and notes on a terminal or in a notebook, on the standard error. No PyTorch here."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.progress import Progress as RichProgress

from nextpixel.runtime.compilation import working_time
from nextpixel.runtime.distributed import launched_rank
from nextpixel.runtime.notebook import Show, bar
from nextpixel.runtime.progress import Advance, Progress, Status
from nextpixel.runtime.quoting import printable_lines

SECONDS_LOOKED_AT, WORTH_TELLING = 3.0, 60.0

# Of the processes that do a command together, the first one speaks.
console = Console(stderr=True, soft_wrap=True, highlight=False, quiet=launched_rank() > 0)


class TerminalProgress(Progress):
    """Shows a bar for each task and each training run.

    Without a terminal or a notebook there are only the notes, and after a few seconds of a long task one of how long it
    takes.
    """

    @contextmanager
    def task(self, description: str, total: int | None) -> Iterator[Advance]:
        """Show a bar, with the counts and the time; see `Progress.task`."""
        if console.is_jupyter:
            with bar(description) as show:
                yield _counted(total, show)
            return
        if not console.is_terminal:
            yield _forecast(description, total)
            return
        columns = (MofNCompleteColumn(), TimeElapsedColumn(), TimeRemainingColumn())
        with RichProgress(TextColumn("{task.description}"), BarColumn(), *columns, console=console) as bars:
            task = bars.add_task(description, total=total)
            yield lambda count: bars.advance(task, count)

    @contextmanager
    def training(self) -> Iterator[Callable[[Status], None]]:
        """Show the part done, bits/dim, images per second and the time left; see `Progress.training`."""
        if console.is_jupyter:
            with bar("training") as show:
                yield lambda status: show(status.progress, _figures(status))
            return
        with RichProgress(
            TextColumn("training"),
            BarColumn(),
            TextColumn("{task.percentage:3.0f} %"),
            TextColumn("{task.fields[figures]}"),
            console=console,
            disable=not console.is_terminal,
        ) as bars:
            task = bars.add_task("training", total=1.0, figures="")
            yield lambda status: bars.update(task, completed=status.progress, figures=_figures(status))

    def note(self, text: str) -> None:
        """Print a line, above the bar if there is one."""
        console.print(printable_lines(text), markup=False)


def duration(seconds: float) -> str:
    """About how long something takes, in words."""
    for unit, length in (("hours", 3600), ("minutes", 60)):
        if seconds >= 1.5 * length:
            return f"about {round(seconds / length):,} {unit}"
    return f"about {round(seconds)} seconds" if seconds >= 1.5 else "about 1 second"


def _counted(total: int | None, show: Show) -> Advance:
    """An `advance` that shows how much of the total is done."""
    done = 0

    def advance(count: int) -> None:
        nonlocal done
        done += count
        show(None if not total else done / total, f"{done:,}" if total is None else f"{done:,}/{total:,}")

    return advance


def _forecast(description: str, total: int | None) -> Advance:
    """An `advance` that tells once how long a task takes, by how fast it goes, if that is long.

    The time until it is first called is no measure of that: something may be prepared then.
    """
    started, begun, first, done, told = working_time(), 0.0, 0, 0, total is None

    def advance(count: int) -> None:
        nonlocal begun, first, done, told
        now, done = working_time(), done + count
        if not first:
            begun, first = now, done
        if told or total is None or now - begun < SECONDS_LOOKED_AT or not first < done < total:
            return
        told = True
        whole = begun - started + (now - begun) * (total - first) / (done - first)
        if whole > WORTH_TELLING:
            console.print(f"{description}: {duration(whole)} in all", markup=False)

    return advance


def _figures(status: Status) -> str:
    minutes, seconds = divmod(round(status.seconds_left), 60)
    valid = f" (validation {status.valid:.4f})" if status.valid is not None else ""
    return (
        f"step {status.step:,}  {status.bits_per_dim:.4f} bits/dim{valid}  "
        f"{status.images_per_second:.0f} images/s  {minutes}:{seconds:02d} left"
    )

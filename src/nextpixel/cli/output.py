"""What the commands show on a terminal: lines, warnings and progress bars, on the standard error."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from nextpixel.runtime.distributed import launched_rank
from nextpixel.training.reporter import Reporter, Status

# Of the processes that do a command together, the first one speaks.
console = Console(stderr=True, soft_wrap=True, highlight=False, quiet=launched_rank() > 0)


def warn(text: str) -> None:
    """Print a line that the user should see but that stops nothing."""
    console.print(f"note: {text}", markup=False, style="yellow")


def counted(number: int, what: str) -> str:
    """The number, and what it is of, in the singular or the plural."""
    return f"{number:,} {what}" + ("" if number == 1 else "s")


@contextmanager
def bar(description: str, total: int | None) -> Iterator[Callable[[int], None]]:
    """A progress bar; yields the function that advances it. Nothing is shown where there is no terminal.

    A total of None stands for one that is not known.
    """
    progress = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=console,
        disable=not console.is_terminal,
    )
    with progress:
        task = progress.add_task(description, total=total)
        yield lambda count: progress.advance(task, count)


class TrainingBar(Reporter):
    """The bar of a training run: part done, bits/dim, images/s, time left. Without a terminal, only the notes."""

    def __init__(self) -> None:
        self.progress = Progress(
            TextColumn("training"),
            BarColumn(),
            TextColumn("{task.percentage:3.0f} %"),
            TextColumn("{task.fields[figures]}"),
            console=console,
            disable=not console.is_terminal,
        )
        self.task = self.progress.add_task("training", total=1.0, figures="")

    def __enter__(self) -> TrainingBar:
        self.progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.progress.stop()

    def status(self, status: Status) -> None:
        """Move the bar."""
        minutes, seconds = divmod(round(status.seconds_left), 60)
        valid = f" (validation {status.valid:.4f})" if status.valid is not None else ""
        self.progress.update(
            self.task,
            completed=status.progress,
            figures=f"step {status.step:,}  {status.bits_per_dim:.4f} bits/dim{valid}  "
            f"{status.images_per_second:.0f} images/s  {minutes}:{seconds:02d} left",
        )

    def note(self, text: str) -> None:
        """Print a line above the bar."""
        self.progress.console.print(text, markup=False)

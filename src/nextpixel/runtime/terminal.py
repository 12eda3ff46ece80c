"""Progress bars and notes on a terminal or in a notebook, on the standard error. No PyTorch here."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.progress import Progress as RichProgress

from nextpixel.runtime.distributed import launched_rank
from nextpixel.runtime.progress import Advance, Progress, Status
from nextpixel.runtime.quoting import printable_lines

# Of the processes that do a command together, the first one speaks.
console = Console(stderr=True, soft_wrap=True, highlight=False, quiet=launched_rank() > 0)


class TerminalProgress(Progress):
    """Shows a bar for each task and each training run. Without a terminal there are only the notes."""

    @contextmanager
    def task(self, description: str, total: int | None) -> Iterator[Advance]:
        """Show a bar, with the counts and the time; see `Progress.task`."""
        columns = (MofNCompleteColumn(), TimeElapsedColumn(), TimeRemainingColumn())
        with RichProgress(
            TextColumn("{task.description}"), BarColumn(), *columns, console=console, disable=not console.is_terminal
        ) as bars:
            bar = bars.add_task(description, total=total)
            yield lambda count: bars.advance(bar, count)

    @contextmanager
    def training(self) -> Iterator[Callable[[Status], None]]:
        """Show the part done, bits/dim, images per second and the time left; see `Progress.training`."""
        with RichProgress(
            TextColumn("training"),
            BarColumn(),
            TextColumn("{task.percentage:3.0f} %"),
            TextColumn("{task.fields[figures]}"),
            console=console,
            disable=not console.is_terminal,
        ) as bars:
            bar = bars.add_task("training", total=1.0, figures="")
            yield lambda status: bars.update(bar, completed=status.progress, figures=_figures(status))

    def note(self, text: str) -> None:
        """Print a line, above the bar if there is one."""
        console.print(printable_lines(text), markup=False)


def _figures(status: Status) -> str:
    minutes, seconds = divmod(round(status.seconds_left), 60)
    valid = f" (validation {status.valid:.4f})" if status.valid is not None else ""
    return (
        f"step {status.step:,}  {status.bits_per_dim:.4f} bits/dim{valid}  "
        f"{status.images_per_second:.0f} images/s  {minutes}:{seconds:02d} left"
    )

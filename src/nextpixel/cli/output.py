"""What the commands show on a terminal: lines, warnings and progress bars, on the standard error."""

from __future__ import annotations

from nextpixel.runtime.quoting import printable, printable_lines
from nextpixel.runtime.terminal import TerminalProgress, console

progress = TerminalProgress()


def say(text: object) -> None:
    """Print lines to the standard output, without what a terminal would obey in names from files and models."""
    print(printable_lines(str(text)), flush=True)


def warn(text: str) -> None:
    """Print a line that the user should see but that stops nothing."""
    console.print(f"note: {printable(text)}", markup=False, style="yellow")

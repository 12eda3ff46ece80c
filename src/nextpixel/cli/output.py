"""What the commands show on a terminal: lines, warnings and progress bars, on the standard error."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping

from nextpixel.runtime.quoting import printable, printable_lines
from nextpixel.runtime.terminal import TerminalProgress, console

progress = TerminalProgress()


def say(text: object) -> None:
    """Print lines to the standard output, without what a terminal would obey in names from files and models."""
    print(printable_lines(str(text)), flush=True)


def warn(text: str) -> None:
    """Print a line that the user should see but that stops nothing."""
    console.print(f"note: {printable(text)}", markup=False, style="yellow")


def as_json(record: Mapping[str, object]) -> str:
    """A record as JSON, which knows no infinity and no NaN: for them stands null."""
    return json.dumps(
        {
            name: None if isinstance(value, float) and not math.isfinite(value) else value
            for name, value in record.items()
        },
        allow_nan=False,
    )


def counted(number: int, what: str) -> str:
    """The number, and what it is of, in the singular or the plural."""
    return f"{number:,} {what}" + ("" if number == 1 else "s")


def duration(seconds: float) -> str:
    """About how long something takes, in words."""
    for unit, length in (("hour", 3600), ("minute", 60)):
        if seconds >= 1.5 * length:
            return f"about {counted(round(seconds / length), unit)}"
    return f"about {counted(max(1, round(seconds)), 'second')}"

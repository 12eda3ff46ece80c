"""A progress bar in a notebook: a line of HTML that is replaced while work goes on. It needs no widgets."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from nextpixel.runtime.html import text

SECONDS_BETWEEN = 0.2
"""A page is not redrawn more often."""

Show = Callable[[float | None, str], None]
"""Takes the part that is done, 0 to 1 or None where that is not known, and what else there is to say."""


@contextmanager
def bar(description: str) -> Iterator[Show]:
    """Show a bar below the cell, while the block runs; its last state stays.

    Args:
        description: what is done, in a word or two.

    Yields:
        The function that is called with how far the work is.
    """
    # IPython is there wherever there is a notebook.
    from IPython.display import display

    part: float | None = None
    figures = ""
    drawn = time.monotonic()
    line = display(_line(description, part, figures), raw=True, display_id=True)

    def show(new_part: float | None, new_figures: str) -> None:
        nonlocal part, figures, drawn
        part, figures = new_part, new_figures
        if time.monotonic() - drawn >= SECONDS_BETWEEN:
            line.update(_line(description, part, figures), raw=True)
            drawn = time.monotonic()

    try:
        yield show
    finally:
        line.update(_line(description, part, figures), raw=True)


def _line(description: str, part: float | None, figures: str) -> dict[str, str]:
    """A state of the bar, as HTML and as text."""
    value = "" if part is None else f' value="{part:.4f}"'
    percent = "" if part is None else f"{part:.0%} "
    html = (
        f'<div><label>{text(description)} <progress max="1"{value} style="vertical-align:middle"></progress></label> '
        f"{text(percent + figures)}</div>"
    )
    return {"text/html": html, "text/plain": f"{description} {percent}{figures}".rstrip()}

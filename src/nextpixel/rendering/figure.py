"""Charts are drawn by matplotlib, which is only needed for them."""

from __future__ import annotations

import importlib.util
import io
from typing import TYPE_CHECKING

from nextpixel.errors import InputError
from nextpixel.rendering.mark import MARK

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def check_charts() -> None:
    """Refuse, before any work is done, to draw a chart where matplotlib is missing.

    Raises:
        InputError: with the remedy.
    """
    if importlib.util.find_spec("matplotlib") is None:
        raise InputError("matplotlib is not installed, which draws charts; pip install 'nextpixel[plots]'")


def new_figure(width: float, height: float) -> Figure:
    """An empty figure.

    Args:
        width: in inches.
        height: in inches.

    Raises:
        InputError: matplotlib is not installed.
    """
    check_charts()
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained")


def as_png(figure: Figure, dots_per_inch: int) -> bytes:
    """The figure as the bytes of a PNG file."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=dots_per_inch, metadata={"Software": MARK})
    return buffer.getvalue()

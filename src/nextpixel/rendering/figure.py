"""Charts are drawn by matplotlib, which is only needed for them."""

from __future__ import annotations

import importlib.util
import io
from typing import TYPE_CHECKING

from PIL import Image
from PIL.PngImagePlugin import PngInfo

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


def as_png(figure: Figure, dots_per_inch: int, *, colours: int | None = None) -> bytes:
    """The figure as the bytes of a PNG file.

    Args:
        figure: what is drawn.
        dots_per_inch: resolution.
        colours: how many are kept, 2 to 256, where lines and letters need few: the file is then a third as large. None
            keeps all.
    """
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=dots_per_inch, metadata={"Software": MARK})
    if colours is None:
        return buffer.getvalue()
    small, told = io.BytesIO(), PngInfo()
    told.add_text("Software", MARK)
    with Image.open(buffer) as picture:
        reduced = picture.convert("RGB").quantize(colours, dither=Image.Dither.NONE)
    reduced.save(small, "PNG", optimize=True, pnginfo=told)
    return small.getvalue()

"""`nextpixel info`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nextpixel.families.base import ImageModel


def info(run: Path, *, program: bool = False) -> None:
    """Show what a trained model is, and how it was trained.

    Args:
        run: Run or model folder.
        program: Print the operations in integers by which the model compresses, with the ranges of random images.
    """
    from rich.console import Console
    from rich.table import Table

    from nextpixel.engines.native import note
    from nextpixel.families.raster_model import RasterModel
    from nextpixel.model_files.card import facts
    from nextpixel.model_files.loading import load

    model = load(run)
    table = Table(show_header=False, box=None, padding=(0, 2, 0, 0))
    table.add_row("Model", model.family)
    for name, value in facts(model):
        table.add_row(name, value.strip("`"))
    if any(isinstance(part, RasterModel) and part.lowers for part in model.modules()):
        table.add_row("Steps", note())
    console = Console(highlight=False, markup=False)
    console.print(table)
    if program:
        console.print()
        for line in _program(model):
            console.print(line, soft_wrap=True)


def _program(model: ImageModel) -> Iterator[str]:
    """The lines of a model's program.

    Raises:
        ModelError: it has none.
    """
    import torch

    from nextpixel.codec.fixed_point import calibrate, fixed_point
    from nextpixel.nn.conditions import Labels
    from nextpixel.plan.printing import lines_of

    images = torch.randint(model.levels, (4, *model.image_shape), generator=torch.Generator().manual_seed(0))
    labels = torch.zeros(4, dtype=torch.int64) if isinstance(model.condition, Labels) else None
    return lines_of(fixed_point(model, calibrate(model, images, labels)))

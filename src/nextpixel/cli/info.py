"""`nextpixel info`."""

from __future__ import annotations

from pathlib import Path


def info(run: Path) -> None:
    """What a trained model is, what it was trained on, and how good it is.

    Args:
        run: Run or model folder.
    """
    from rich.console import Console
    from rich.table import Table

    from nextpixel.model_files.card import facts
    from nextpixel.model_files.loading import load

    model = load(run)
    table = Table(show_header=False, box=None, padding=(0, 2, 0, 0))
    table.add_row("Model", model.family)
    for name, value in facts(model):
        table.add_row(name, value.strip("`"))
    Console(highlight=False, markup=False).print(table)

"""`nextpixel recipes`."""

from __future__ import annotations

WIDTH = 160
"""Columns of the table where it does not go to a terminal."""


def recipes(name: str | None = None) -> None:
    """List the recipes of `train --recipe`, or show one of them.

    Args:
        name: Show all of this recipe: its options, its data, and where they come from.
    """
    from rich.console import Console
    from rich.table import Table

    from nextpixel.recipes import read_recipe
    from nextpixel.recipes import recipes as names

    console = Console(highlight=False, markup=False)
    if not console.is_terminal:
        console.width = WIDTH
    if name is None:
        table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
        for heading in ("name", "model", "data", "expected", "cost"):
            table.add_column(heading, no_wrap=heading in ("name", "model"))
        for recipe in map(read_recipe, names()):
            table.add_row(recipe.name, recipe.family, recipe.data, recipe.expected, recipe.cost)
        console.print(table)
        return
    recipe = read_recipe(name)
    about = Table(box=None, padding=(0, 2, 0, 0), show_header=False)
    for heading, value in (
        ("Recipe", recipe.told),
        ("Model", recipe.family),
        ("Data", recipe.data),
        ("Get them", recipe.source),
        ("Expected", recipe.expected),
        ("Cost", recipe.cost),
        ("Options", " ".join(map(_flag, recipe.options, recipe.options.values()))),
    ):
        about.add_row(heading, value)
    console.print(about)


def _flag(name: str, value: object) -> str:
    """An option as one writes it for `train`; the name of the data stands by itself."""
    if name == "data":
        return str(value)
    name = name.replace("_", "-")
    if isinstance(value, bool):
        return f"--{name}" if value else f"--no-{name}"
    return f"--{name} {value}"

"""Recipes: named, versioned options of `nextpixel train`, each a TOML file beside this one. No PyTorch here.

A recipe says what it trains, on which data and where those come from, with which options, what to expect of it and what
it costs. Its version changes whenever its options do, since a record that names both says how a model was trained.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from nextpixel.errors import TrainingError

HERE = Path(__file__).parent
NOT_MEASURED = "not measured"
HARMLESS = ("device", "compile", "checkpoint_activations", "checkpoint_minutes", "grids", "grid_images")
"""Options that do not change what is learned."""

Option = str | int | float | bool


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """A recipe.

    Attributes:
        name: what `train --recipe` calls it; the name of its file.
        version: counts the changes of its options, from 1.
        family: of the model; see `nextpixel models`.
        data: the images it is for, and their protocol.
        source: where the images come from, and the command to train with it.
        image_shape: `[C, H, W]` of the images.
        levels: levels of the images once they are read as the options say.
        expected: its result, with what it was measured on, or "not measured".
        cost: what it took, or takes.
        paper_size: whether it is as large as the paper's; those were not run, and most need GPUs, as their costs say.
        options: of `train`, by name with underscores.
    """

    name: str
    version: int
    family: str
    data: str
    source: str
    image_shape: list[int]
    levels: int
    expected: str
    cost: str
    paper_size: bool = False
    options: dict[str, Option] = field(default_factory=dict)

    @property
    def told(self) -> str:
        """Name and version."""
        return f"{self.name}, version {self.version}"

    def told_of(self, options: Mapping[str, object], defaults: Mapping[str, object]) -> str:
        """Name and version, for a model's record, and in what it was not followed.

        Args:
            options: those of `train` that were used, by name with underscores.
            defaults: what they are where nobody says otherwise.
        """
        wanted = {**defaults, "model": self.family, **self.options}
        others = [
            name
            for name, value in options.items()
            if name not in HARMLESS and value is not None and value != wanted[name]
        ]
        return self.told + (f", but for {', '.join(others)}" if others else "")


def recipes() -> list[str]:
    """The names of the recipes, in alphabetical order."""
    return sorted(path.stem for path in HERE.glob("*.toml"))


def read_recipe(name: str) -> Recipe:
    """The recipe of a name.

    Raises:
        TrainingError: there is none of that name.
    """
    if name not in recipes():
        raise TrainingError(f"there is no recipe {name!r}; `nextpixel recipes` lists them: {', '.join(recipes())}")
    with (HERE / f"{name}.toml").open("rb") as file:
        return parse(name, tomllib.load(file))


def parse(name: str, entries: dict[str, Any]) -> Recipe:
    """A recipe from the entries of its file, each of which must be known and of the right kind.

    Raises:
        TrainingError: an entry is unknown, missing, or of another kind; or the options hold another model or data.
    """
    kinds = {entry.name: str(entry.type) for entry in fields(Recipe) if entry.name != "name"}
    types = {"str": str, "int": int, "bool": bool, "list[int]": list, "dict[str, Option]": dict}
    unknown = sorted(set(entries) - set(kinds))
    missing = sorted(set(kinds) - set(entries) - {"paper_size", "options"})
    wrong = sorted(key for key in set(kinds) & set(entries) if type(entries[key]) is not types[kinds[key]])
    for what, keys in (("the unknown entry", unknown), ("no entry", missing), ("a wrong kind of", wrong)):
        if keys:
            raise TrainingError(f"the recipe {name} has {what} {keys[0]!r}; its entries are {', '.join(kinds)}")
    for option, value in entries.get("options", {}).items():
        if not isinstance(value, Option):
            raise TrainingError(f"the recipe {name} has a list or a table as option {option!r}; give one value")
        if option in ("model", "recipe", "config", "out", "resume"):
            raise TrainingError(f"the recipe {name} cannot have the option {option!r}")
    return Recipe(name=name, **entries)

"""`--config FILE.toml` and `--recipe NAME`: options below the environment and the flags."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Sequence
from pathlib import Path

from cyclopts.config import Dict, Env

from nextpixel.errors import NextpixelError
from nextpixel.recipes import Recipe, read_recipe

LENGTHS = ("steps", "epochs", "minutes")


def config_sources(arguments: Sequence[str]) -> list[object]:
    """Sources of option values beside the flags: `NEXTPIXEL_TRAIN_STEPS=...`, then `--config`, then `--recipe`.

    A length of training that is given anywhere takes the place of one that is given further below, in whatever unit.

    Raises:
        NextpixelError: the file is missing or is not TOML, or there is no such recipe.
    """
    sources: list[object] = [Env("NEXTPIXEL_", command=True, show=False)]
    has_length = any(
        _value_of(f"--{name}", arguments) is not None or f"NEXTPIXEL_TRAIN_{name.upper()}" in os.environ
        for name in LENGTHS
    )
    layers: list[tuple[str, dict[str, object]]] = []
    path, recipe = (_value_of(flag, arguments) for flag in ("--config", "--recipe"))
    if arguments[:1] == ["train"]:
        recipe = recipe or os.environ.get("NEXTPIXEL_TRAIN_RECIPE")
    if path is not None:
        layers.append((path, _read(Path(path))))
        stated = layers[0][1].get("recipe")
        recipe = recipe or (None if stated is None else str(stated))
    if recipe is not None:
        recipe_named = read_recipe(recipe)
        layers.append((f"recipe {recipe}", _as_text({"model": recipe_named.family, **recipe_named.options})))
    for source, options in layers:
        kept = {name: value for name, value in options.items() if not (has_length and name in LENGTHS)}
        has_length |= any(name in LENGTHS for name in options)
        sources.append(Dict(kept, source=source, use_commands_as_keys=False))
    return sources


def recipe_of(arguments: Sequence[str]) -> Recipe | None:
    """The recipe that the arguments name, by themselves.

    Raises:
        NextpixelError: there is none of that name.
    """
    name = _value_of("--recipe", arguments)
    return None if name is None else read_recipe(name)


def _value_of(flag: str, arguments: Sequence[str]) -> str | None:
    """What follows a flag, which is looked at before the options are read."""
    for index, argument in enumerate(arguments):
        if argument == "--":
            return None
        if argument.startswith(f"{flag}="):
            return argument.removeprefix(f"{flag}=")
        if argument == flag and index + 1 < len(arguments):
            return arguments[index + 1]
    return None


def _read(path: Path) -> dict[str, object]:
    try:
        with path.open("rb") as file:
            options = tomllib.load(file)
    except OSError as error:
        raise NextpixelError(f"--config {path}: {error.strerror}; give a TOML file of options") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise NextpixelError(f"--config {path} is not TOML: {error}") from error
    for name, value in options.items():
        if isinstance(value, dict):
            raise NextpixelError(f"--config {path} has a section [{name}]; write its options without a section")
    return _as_text(options)


def _as_text(options: dict[str, object]) -> dict[str, object]:
    """Values as text, so that options are read just as flags are."""
    return {name: value if isinstance(value, bool) else str(value) for name, value in options.items()}

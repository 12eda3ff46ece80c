"""`--config FILE.toml`: options from a file, below the environment and the flags."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cyclopts.config import Dict, Env

from nextpixel.errors import NextpixelError


def config_sources(arguments: Sequence[str]) -> list[Any]:
    """Sources of option values beside the flags: `NEXTPIXEL_TRAIN_STEPS=...`, then the file of `--config`.

    Raises:
        NextpixelError: the file is missing or is not TOML.
    """
    sources: list[Any] = [Env("NEXTPIXEL_", command=True, show=False)]
    path = _config_path(arguments)
    if path is not None:
        sources.append(Dict(_read(path), source=str(path), use_commands_as_keys=False))
    return sources


def _config_path(arguments: Sequence[str]) -> Path | None:
    for index, argument in enumerate(arguments):
        if argument == "--":
            return None
        if argument.startswith("--config="):
            return Path(argument.removeprefix("--config="))
        if argument == "--config" and index + 1 < len(arguments):
            return Path(arguments[index + 1])
    return None


def _read(path: Path) -> dict[str, Any]:
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
    # As text, so that options are read just as flags are.
    return {name: value if isinstance(value, bool) else str(value) for name, value in options.items()}

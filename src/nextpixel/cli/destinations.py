"""Where commands may write: over what they made themselves, and never into what they read."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from nextpixel.errors import InputError


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Force:
    """Whether to replace files of others.

    Attributes:
        force: Replace files that nextpixel did not make.
    """

    force: Annotated[bool, Parameter(negative="")] = False

    def check_file(self, path: Path, read: Iterable[str | Path | None] = ()) -> None:
        """Refuse, before any work is done, a file that somebody else made or that is among the data.

        Args:
            path: what is to be written.
            read: files and folders that the command reads, and names that stand for none.

        Raises:
            InputError: with the remedy.
        """
        from nextpixel.runtime.atomic_files import remove_leftovers

        check_outside(path, read)
        remove_leftovers(path.parent)
        if path.is_dir():
            raise InputError(f"{path} is a folder; choose another name")
        if path.exists() and not self.force and not _is_ours(path):
            raise InputError(f"{path} exists, and nextpixel did not make it; choose another name, or add --force")


def check_outside(path: Path, read: Iterable[str | Path | None]) -> None:
    """Refuse to write into data that are read, where the result would become data.

    Args:
        path: the file or the folder that is to be written.
        read: see `Force.check_file`.

    Raises:
        InputError: with the remedy.
    """
    # Unlike `Path.resolve`, this takes a link to itself as it is.
    place = Path(os.path.realpath(path))
    for source in read:
        if source is not None and place.is_relative_to(os.path.realpath(source)):
            raise InputError(f"{path} lies inside {source}, which is read; choose another place")


def _is_ours(path: Path) -> bool:
    """Whether a command of nextpixel made the file."""
    from nextpixel.codec.container import MAGIC
    from nextpixel.rendering.mark import arrays_are_marked, picture_is_marked

    kind = path.suffix.lower()
    if kind == ".npz":
        return arrays_are_marked(path)
    if kind not in (".npx", ".csv", ".jsonl"):
        return picture_is_marked(path)
    try:
        with path.open("rb") as file:
            if kind == ".npx":
                return file.read(len(MAGIC)) == MAGIC
            line = file.readline(1 << 16).decode()
            columns = line.strip().split(",") if kind == ".csv" else list(json.loads(line))
    except (OSError, ValueError, TypeError, RecursionError):
        return False
    return columns[:1] == ["image"] and {"nats", "bits_per_dim"} <= set(columns)

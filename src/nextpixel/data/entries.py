"""Named files with a way to read each: what folders and archives have in common."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

IMAGE_SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif", ".tif", ".tiff", ".ppm", ".pgm", ".pbm"})
METADATA_NAMES = frozenset({"metadata.jsonl", "metadata.csv"})
MAX_FILE_BYTES = 1 << 28
"""The largest file read into memory at once."""


class Unusable(Exception):  # noqa: N818 - a verdict on one file, never shown as an error
    """One file that has to be left out; its text is the reason."""


class Unreachable(Unusable):
    """One file that the system did not hand over this time; the next time it may."""


@dataclass(frozen=True)
class Entry:
    """A file of a folder or an archive.

    Attributes:
        name: Relative name with forward slashes.
        read: Returns the content, or raises `Unusable`. Valid only until the next entry is asked for, since a
            compressed tar can only be read forwards.
    """

    name: str
    read: Callable[[], bytes]


Entries = Callable[[], Iterator[Entry]]


def is_image(name: str) -> bool:
    """Whether a file name has one of the image suffixes."""
    # Millions of names come through here: a path object for each would take longer than listing them.
    stem, dot, suffix = name.rpartition("/")[2].rpartition(".")
    return bool(stem) and f"{dot}{suffix}".lower() in IMAGE_SUFFIXES


def is_metadata(name: str) -> bool:
    """Whether a file name is that of a table of labels."""
    return name.rpartition("/")[2] in METADATA_NAMES


def is_wanted(name: str) -> bool:
    """Whether a file takes part: an image or a table of labels, and not hidden."""
    hidden = name.startswith(".") or "/." in name or "__MACOSX" in name
    if hidden and any(
        (part.startswith(".") and part not in {".", ".."}) or part == "__MACOSX" for part in name.split("/")
    ):
        return False
    return is_image(name) or is_metadata(name)


def check_size(size: int) -> None:
    """Raises `Unusable` for a file too large to be read into memory at once."""
    if size > MAX_FILE_BYTES:
        raise Unusable(f"is {size} bytes long, more than the {MAX_FILE_BYTES} that are read at once")

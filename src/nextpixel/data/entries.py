"""Named files with a way to read each: what folders and archives have in common."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

# fmt: off
IMAGE_SUFFIXES = frozenset((
    ".avif", ".bmp", ".gif", ".heic", ".heif", ".jfif", ".jpe", ".jpeg", ".jpg", ".jxl", ".pbm", ".pgm", ".png",
    ".pnm", ".ppm", ".tga", ".tif", ".tiff", ".webp",
))
# fmt: on
SYSTEM_FOLDERS = frozenset({"@eaDir", "#recycle", "@Recycle", "$RECYCLE.BIN", "System Volume Information"})
"""Thumbnails and waste that file servers and systems keep beside the files of users."""

# fmt: off
COMPANIONS = frozenset((
    "bib", "cfg", "conf", "csv", "db", "doc", "docx", "h5", "htm", "html", "ini", "ipynb", "json", "jsonl", "lock",
    "log", "mat", "md", "md5", "npy", "npz", "odt", "pkl", "py", "rst", "rtf", "sh", "sha1", "sha256", "sql",
    "sqlite", "tex", "toml", "tsv", "txt", "xls", "xlsx", "xml", "yaml", "yml",
))
"""Endings of files that lie beside pictures and are none, of which nothing is said."""

COMPANION_NAMES = frozenset((
    "authors", "changelog", "changes", "checksums", "citation", "copying", "dockerfile", "index", "labels",
    "licence", "license", "makefile", "manifest", "md5sums", "notice", "readme", "sha1sums", "sha256sums", "todo",
    "version",
))
# fmt: on
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
        name: relative name with forward slashes.
        read: return the content, or raises `Unusable`. Valid only until the next entry is asked for, since a
            compressed tar can only be read forwards.
    """

    name: str
    read: Callable[[], bytes]


Entries = Callable[[Counter[str]], Iterator[Entry]]
"""Starts a pass over the files that take part, and counts those that were passed over; see `passed_over`."""


def is_image(name: str) -> bool:
    """Whether a file name has one of the image suffixes."""
    # Millions of names come through here: a path object for each would take longer than listing them.
    stem, dot, suffix = name.rpartition("/")[2].rpartition(".")
    return bool(stem) and f"{dot}{suffix}".lower() in IMAGE_SUFFIXES


def is_metadata(name: str) -> bool:
    """Whether a file name is that of a table of labels."""
    return name.rpartition("/")[2] in METADATA_NAMES


def is_wanted(name: str) -> bool:
    """Whether a file takes part: an image or a table of labels, neither hidden nor of the system."""
    if not (is_image(name) or is_metadata(name)):
        return False
    # Of a folder's entries the name is one part: millions of them come through here.
    return not (any(map(is_set_apart, name.split("/"))) if "/" in name else is_set_apart(name))


def is_set_apart(part: str) -> bool:
    """Whether a file or folder of this name is hidden or the system's own."""
    return (part.startswith(".") and part not in {".", ".."}) or part == "__MACOSX" or part in SYSTEM_FOLDERS


def passed_over(name: str) -> str | None:
    """How a file that does not take part is counted, such as ".jp2"; None where nothing needs to be said of it."""
    *folders, last = name.split("/")
    system = next((part for part in folders if part in SYSTEM_FOLDERS), None)
    if system is not None:
        return f"in {system}"
    # What macOS keeps beside each file on foreign disks is no picture, whatever its ending.
    if last.startswith("._") or any(map(is_set_apart, folders)):
        return None
    if last.startswith("."):
        return "hidden" if is_image(last) else None
    stem, dot, ending = last.rpartition(".")
    if not dot or not stem:
        return None if last.lower() in COMPANION_NAMES else "without an ending"
    return None if ending.lower() in COMPANIONS or ending == "DS_Store" else f".{ending.lower()}"


def told(counts: Mapping[str, int]) -> str:
    """Say what was passed over, such as "2 .jp2, 1 hidden"."""
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    more = f" and {sum(count for _, count in ordered[8:])} more" if len(ordered) > 8 else ""
    return ", ".join(f"{count} {kind}" for kind, count in ordered[:8]) + more


def check_size(size: int) -> None:
    """Raise `Unusable` for a file too large to be read into memory at once."""
    if size > MAX_FILE_BYTES:
        raise Unusable(f"is {size} bytes long, more than the {MAX_FILE_BYTES} that are read at once")

"""Text from files, archives and models, which may hold what a terminal or a spreadsheet would obey."""

from __future__ import annotations

FORMULA_STARTS = tuple("=+-@\t\r\n＝＋－＠")
"""A cell that begins like this is a formula to some spreadsheet programs, after blanks too."""


def printable(text: str) -> str:
    """The text with control, escape and bidirectional characters, and all else that is not printed, as escapes."""
    return "".join(character if character.isprintable() else ascii(character)[1:-1] for character in text)


def printable_lines(text: str) -> str:
    """Likewise, with its lines as they are."""
    return "\n".join(map(printable, text.split("\n")))


def harmless_cell(text: str) -> str:
    """Text for a table, with an apostrophe before what a spreadsheet program would take for a formula."""
    return f"'{text}" if text.startswith(FORMULA_STARTS) or text.lstrip(" ").startswith(FORMULA_STARTS) else text


def short_name(text: str, most: int = 180) -> str:
    """The beginning of a name, with so many bytes in UTF-8 at most: file systems take 255, and endings come on top."""
    data = text.encode(errors="surrogateescape")
    return text if len(data) <= most else data[:most].decode(errors="ignore")

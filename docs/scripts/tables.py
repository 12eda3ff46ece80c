"""Tables in Markdown, and the places in pages that scripts fill with them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence


def lines_of(rows: Iterable[Sequence[str]]) -> str:
    """A line for each row; the second row is one of `---`."""
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def marked(script: str, name: str) -> re.Pattern[str]:
    """The place between the two comments that name what a script of this folder makes.

    Args:
        script: the name of the script, without its ending.
        name: of the tables there; a regular expression.
    """
    return re.compile(
        rf"(<!-- ({name}): made by docs/scripts/{script}\.py\. Do not edit\. -->\n).*?(<!-- end of \2 -->)", re.DOTALL
    )


def fill(place: re.Pattern[str], page: str, tables: str) -> str:
    """A page with the tables in that place; the comments stay."""
    return place.sub(lambda match: f"{match[1]}\n{tables}\n\n{match[3]}", page)

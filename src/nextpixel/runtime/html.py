"""Small pieces of HTML, for what displays itself in a notebook."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Sequence
from html import escape

from nextpixel.runtime.quoting import printable

CELL = ' style="text-align:left"'


def text(value: str) -> str:
    """Text as HTML, with what neither a browser nor a terminal should obey as escapes."""
    return escape(printable(value))


def facts_table(title: str, facts: Iterable[tuple[str, str]]) -> str:
    """A heading, and names with values below it."""
    rows = "".join(f"<tr><th{CELL}>{text(name)}</th><td{CELL}>{text(value)}</td></tr>" for name, value in facts)
    return f"<div><b>{text(title)}</b><table>{rows}</table></div>"


def rows_table(title: str, columns: Sequence[str], rows: Iterable[Sequence[str]], foot: str = "") -> str:
    """A heading, a table with a row of names, and a last line."""
    head = "".join(f"<th{CELL}>{text(name)}</th>" for name in columns)
    body = "".join("<tr>" + "".join(f"<td>{text(value)}</td>" for value in row) + "</tr>" for row in rows)
    end = f"<p>{text(foot)}</p>" if foot else ""
    return f"<div><b>{text(title)}</b><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>{end}</div>"


def picture(png: bytes, *, width: int, description: str) -> str:
    """A PNG in the page itself, so that a saved notebook has it; its pixels stay crisp."""
    data = base64.b64encode(png).decode()
    return (
        f'<img alt="{text(description)}" src="data:image/png;base64,{data}" '
        f'style="width:{width}px;max-width:100%;image-rendering:pixelated">'
    )

"""Draw the folders of the package in their layers, and which imports which: `docs/images/architecture.svg`.

    python docs/scripts/architecture.py

The layers are those that `make lint` holds the package to (`pyproject.toml`), the dots the imports that it really has,
and the words the first sentence of each docstring. `make docs` draws it anew.
"""

from __future__ import annotations

import ast
import re
import tomllib
from html import escape
from pathlib import Path

import grimp

from nextpixel.runtime.atomic_files import write_atomically

ROOT = Path(__file__).parents[2]
DRAWING = ROOT / "docs" / "images" / "architecture.svg"
PACKAGE = "nextpixel"
ROW, TOP, LEFT, NAMES, CELL = 27, 150, 16, 184, 25
WORDS = 690
"""Pixels for what a folder is for."""
INK, QUIET, BAND, DOT, LINE = "#1a1a2e", "#565d6d", "#f1f4f9", "#2b6cb0", "#dde2ea"
FONT = "font-family=\"system-ui, 'Segoe UI', Helvetica, Arial, sans-serif\""
MONO = "font-family=\"ui-monospace, Menlo, Consolas, 'DejaVu Sans Mono', monospace\""


def layers() -> list[list[str]]:
    """The names in each layer, the highest first, as the linter has them."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    contracts = settings["tool"]["importlinter"]["contracts"]
    (contract,) = (contract for contract in contracts if contract["type"] == "layers")
    return [re.split(r"\s*[:|]\s*", layer) for layer in contract["layers"]]


def purpose(name: str) -> str:
    """The first sentence of the docstring of a folder or module."""
    path = ROOT / "src" / PACKAGE / name.replace(".", "/")
    source = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    text = " ".join((ast.get_docstring(ast.parse(source.read_text(encoding="utf-8"))) or "").split())
    sentence = re.split(r"\.(?:\s|$)|; see ", text, maxsplit=1)[0]
    return sentence.replace("`", "")


def imports(names: list[str]) -> set[tuple[str, str]]:
    """Pairs of names of which the first imports the second."""
    graph = grimp.build_graph(PACKAGE, cache_dir=None)

    def home(module: str) -> str | None:
        fitting = [name for name in names if f"{module}.".startswith(f"{PACKAGE}.{name}.")]
        return max(fitting, key=len, default=None)

    pairs = set()
    for module in graph.modules:
        for imported in graph.find_modules_directly_imported_by(module):
            pair = home(module), home(imported)
            if None not in pair and pair[0] != pair[1]:
                pairs.add(pair)
    return pairs


def drawing() -> str:
    """The picture as SVG."""
    ranks = layers()
    names = [name for layer in ranks for name in layer]
    rows = {name: TOP + number * ROW for number, name in enumerate(names)}
    grid = LEFT + NAMES + WORDS
    columns = {name: grid + number * CELL + CELL // 2 for number, name in enumerate(names)}
    width, height = grid + CELL * len(names) + LEFT, TOP + ROW * len(names) + LEFT
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
        f'{FONT} font-size="13" fill="{INK}" role="img">',
        f"<title>The folders of {PACKAGE} in layers; a dot where a row imports a column</title>",
        f'<rect width="{width}" height="{height}" fill="white"/>',
        f'<text x="{LEFT}" y="30" font-size="17" font-weight="600">src/{PACKAGE}, from the top layer to the bottom'
        f'</text><text x="{LEFT}" y="54" fill="{QUIET}">A dot: the row imports the column. No dot is left of the '
        f"diagonal, because imports point downwards.</text>",
    ]
    for number, layer in enumerate(ranks):
        if number % 2 == 0:
            top, tall = rows[layer[0]], ROW * len(layer)
            parts.append(f'<rect x="0" y="{top}" width="{width}" height="{tall}" fill="{BAND}"/>')
    for name in names:
        middle = rows[name] + ROW // 2
        parts += [
            f'<text x="{LEFT}" y="{middle + 4}" {MONO} font-size="12.5" font-weight="600">{escape(name)}</text>',
            f'<text x="{LEFT + NAMES}" y="{middle + 4}" fill="{QUIET}" font-size="12">{escape(purpose(name))}</text>',
            f'<text transform="translate({columns[name] + 4},{TOP - 8}) rotate(-60)" {MONO} font-size="11" '
            f'fill="{QUIET}">{escape(name)}</text>',
            f'<line x1="{columns[name]}" y1="{TOP}" x2="{columns[name]}" y2="{height - LEFT}" stroke="{LINE}"/>',
            f'<rect x="{columns[name] - 4}" y="{middle - 4}" width="8" height="8" fill="{LINE}"/>',
        ]
    for importing, imported in sorted(imports(names)):
        parts.append(f'<circle cx="{columns[imported]}" cy="{rows[importing] + ROW // 2}" r="5" fill="{DOT}"/>')
    return "\n".join([*parts, "</svg>", ""])


if __name__ == "__main__":
    write_atomically(DRAWING, drawing().encode())
    print(DRAWING)

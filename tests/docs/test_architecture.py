"""The drawing of the folders is of these folders."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_it_has_a_row_for_every_folder(script):
    drawn = script.DRAWING.read_text(encoding="utf-8")
    folders = [path.parent.name for path in (ROOT / "src" / "nextpixel").glob("*/__init__.py")]
    assert [name for name in folders if f">{name}" not in drawn] == [], "run: python docs/scripts/architecture.py"


def test_it_says_what_everything_is_for(script):
    assert all(script.purpose(name) for layer in script.layers() for name in layer)


def test_imports_are_those_of_the_package_and_point_downwards(script):
    names = [name for layer in script.layers() for name in layer]
    pairs = script.imports(names)
    assert {("cli", "data"), ("families", "nn"), ("codec", "families")} <= pairs
    assert all(names.index(first) < names.index(second) for first, second in pairs)


def test_every_dot_is_an_import(script):
    names = [name for layer in script.layers() for name in layer]
    assert len(re.findall("<circle", script.drawing())) == len(script.imports(names))

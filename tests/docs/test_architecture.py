"""The drawing of the folders is of these folders."""

import re
from pathlib import Path

import pytest

from helpers.scripts import load_script

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def architecture():
    return load_script("docs/scripts/architecture.py")


def test_it_has_a_row_for_every_folder(architecture):
    drawn = architecture.DRAWING.read_text(encoding="utf-8")
    folders = [path.parent.name for path in (ROOT / "src" / "nextpixel").glob("*/__init__.py")]
    assert [name for name in folders if f">{name}" not in drawn] == [], "run: python docs/scripts/architecture.py"


def test_it_says_what_everything_is_for(architecture):
    assert all(architecture.purpose(name) for layer in architecture.layers() for name in layer)


def test_imports_are_those_of_the_package_and_point_downwards(architecture):
    names = [name for layer in architecture.layers() for name in layer]
    pairs = architecture.imports(names)
    assert {("cli", "data"), ("families", "nn"), ("codec", "families")} <= pairs
    assert all(names.index(first) < names.index(second) for first, second in pairs)


def test_every_dot_is_an_import(architecture):
    names = [name for layer in architecture.layers() for name in layer]
    assert len(re.findall("<circle", architecture.drawing())) == len(architecture.imports(names))

"""The drawing of the folders is of these folders."""

import importlib.util
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def architecture():
    specification = importlib.util.spec_from_file_location("architecture", ROOT / "docs/scripts/architecture.py")
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


def test_it_has_a_row_for_every_name_of_the_layers_with_its_docstring(architecture):
    drawn = architecture.DRAWING.read_text(encoding="utf-8")
    for name in (name for layer in architecture.layers() for name in layer):
        assert f">{name}</text>" in drawn, "run: python docs/scripts/architecture.py"
        assert architecture.purpose(name)


def test_imports_are_those_of_the_package_and_point_downwards(architecture):
    names = [name for layer in architecture.layers() for name in layer]
    pairs = architecture.imports(names)
    assert {("cli", "data"), ("families", "nn"), ("codec", "families")} <= pairs
    assert all(names.index(first) < names.index(second) for first, second in pairs)


def test_every_dot_is_an_import(architecture):
    names = [name for layer in architecture.layers() for name in layer]
    assert len(re.findall("<circle", architecture.drawing())) == len(architecture.imports(names))

"""docs/reference/families.md is what its script makes of the configs."""

import pytest

import nextpixel as nx
from helpers.scripts import load_script
from nextpixel.families.registry import FAMILIES


@pytest.fixture(scope="module")
def families():
    return load_script("docs/scripts/families.py")


def test_the_page_is_what_the_script_makes(families):
    assert families.PAGE.read_text(encoding="utf-8") == families.page(), "run: python docs/scripts/families.py"


def test_every_family_has_a_section(families):
    headings = {line[3:] for line in families.page().splitlines() if line.startswith("## ")}
    assert {name for name, family in FAMILIES.items() if family.registered is None} <= headings


@pytest.mark.parametrize("family", ["gated-pixelcnn", "local-pixelcnn"])
def test_the_defaults_are_those_of_a_model(families, family):
    model = nx.build(family, image_shape=(1, 8, 8), levels=4)
    section = families.page().split(f"## {family}\n")[1].split("\n## ")[0]
    for name, value in model.options.items():
        assert f"| `{name}` | {'none' if value is None else f'`{value}`'} |" in section

"""docs/reference/families.md is what its script makes of the configs."""

import pytest

import nextpixel as nx
from nextpixel.families.registry import FAMILIES


def test_the_page_is_what_the_script_makes(script, check_page):
    check_page(script.PAGE)


def test_every_family_has_a_section(script):
    headings = {line[3:] for line in script.page().splitlines() if line.startswith("## ")}
    assert {name for name, family in FAMILIES.items() if family.registered is None} <= headings


@pytest.mark.parametrize("family", ["gated-pixelcnn", "local-pixelcnn"])
def test_the_defaults_are_those_of_a_model(script, family):
    model = nx.build(family, image_shape=(1, 8, 8), levels=4)
    section = script.page().split(f"## {family}\n")[1].split("\n## ")[0]
    for name, value in model.options.items():
        assert f"| `{name}` | {'none' if value is None else f'`{value}`'} |" in section

"""What the README and the page say of sizes is what their script makes of the record, which a benchmark writes."""

import json
from pathlib import Path

import pytest

from helpers.scripts import load_script

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def compression():
    return load_script("docs/scripts/compression.py")


@pytest.fixture(scope="module")
def records(compression):
    return json.loads(compression.RECORD.read_text(encoding="utf-8"))


def test_the_page_is_what_the_script_makes(compression, records):
    page = compression.PAGE.read_text(encoding="utf-8")
    assert len(compression.MARKED.findall(page)) == 1
    assert page == compression.filled(page, records), "run: python docs/scripts/compression.py"


def test_the_figures_of_the_readme_are_those_of_the_record(compression, records):
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    for row in compression.readme_rows(records):
        assert row in readme.splitlines(), "run: python docs/scripts/compression.py, and copy its rows"


def test_all_models_of_the_record_ship_and_their_twins_cost_little(records):
    for record in records.values():
        assert record["model"].startswith("nextpixel/")
        assert abs(record["twin_bytes"] / record["model_bytes"] - 1) < 0.005


def test_the_better_of_file_and_sheet_is_marked(compression):
    record = {"images": 10, "sub_pixels": 800, "file_bytes": 100, "model_bytes": 99, "twin_bytes": 99}
    record |= {"weights_bytes": 1000, "model": "nextpixel/a"}
    record |= {f"{form} {way}": 200 for form in compression.FORMATS for way in ("files", "sheet")}
    name = compression.IN_README[0]
    worse = record | {"JPEG XL sheet": 80}
    assert "| **1.00** bits per" in compression.readme_rows({name: record, compression.IN_README[1]: worse})[0]
    assert "**0.80** JPEG XL" in compression.readme_rows({name: worse, compression.IN_README[1]: worse})[0]
    assert "| 100 images |" in compression.sizes({name: record}) and "| never |" in compression.sizes({name: worse})

"""The tables of photographs are what their script makes of the record, which a benchmark writes."""

from pathlib import Path

import pytest

DOCS = Path(__file__).parents[2] / "docs"


@pytest.fixture
def record():
    """Two pictures of one set and one of the other; effort 9 was measured for one of the two only."""
    line = {"set": "camera", "sub_pixels": 8000, "png": 4000, "webp": 3000, "jxl9": 2000, "jxl10": 1900}
    times = {"jxl9_seconds": 2.0, "effort5_seconds": 5.0, "effort5_decoding_seconds": 3.0}
    return {
        "pictures": {
            "a": line | times | {"effort5": 1800, "effort9": 1700},
            "b": line | times | {"effort5": 1600, "jxl9_seconds": 1.0},
            "k": line | times | {"set": "kodak", "effort5": 1500, "effort9": 1400},
        },
        "albums": {"one camera": {"pictures": ["a", "b"], "jxl9": 4000, "effort5": 3200}},
    }


def test_the_pages_are_what_the_script_makes(script, records, check_page):
    for path in script.PAGES:
        check_page(path, records)


def test_the_row_of_the_readme_is_that_of_the_record(script, records):
    row = script.readme_row(records)
    assert row in (DOCS.parent / "README.md").read_text(encoding="utf-8").splitlines(), row


def test_what_is_said_beside_the_smallest_files_is_of_the_record(script, records):
    page = script.PAGES[1].read_text(encoding="utf-8")
    for lines in script.of_sets(records).values():
        for way in ("effort1", "effort5", "webp", "png"):
            assert script.beside_the_smallest(lines, way) in page.split("of its four files")[1].split("\n\n")[0]


def test_sizes_are_means_over_the_pictures_of_a_set(script, record):
    lines = script.sizes(record).splitlines()
    assert lines[0] == "|  | Kodak, 1 pictures | ratio | camera pictures, 2 pictures | ratio |"
    assert "| JPEG XL, effort 9 | 2.000 | 1.000 | 2.000 | 1.000 |" in lines
    assert "| **nextpixel, effort 5** | 1.500 | 0.750 | 1.700 | 0.850 |" in lines


def test_what_was_not_measured_of_all_is_left_out(script, record):
    lines = script.sizes(record).splitlines()
    assert "| **nextpixel, effort 9** | 1.400 | 0.700 |  |  |" in lines
    assert not any("effort 1*" in line for line in lines)
    assert "effort 9**" not in script.times(record)


def test_times_are_in_those_of_the_yardstick_for_the_same_picture(script, record):
    assert "| **nextpixel, effort 5** | 3.33 | 2.00 |" in script.times(record)


def test_albums_are_beside_the_sum_of_the_yardsticks_files(script, record):
    assert script.albums(record).splitlines()[-1] == "| one camera, 2 pictures | 0.800 |"


def test_every_picture_has_a_line(script, record):
    assert [line[2] for line in script.pictures(record).splitlines()[2:]] == ["a", "b", "k"]


def test_an_empty_record_is_said_to_be_empty(script):
    page = "<!-- sizes: made by docs/scripts/photographs.py. Do not edit. -->\nold\n<!-- end of sizes -->"
    assert script.NOTHING in script.filled(page, {"pictures": {}})
    assert "old" not in script.filled(page, {"pictures": {}})

"""What the README and the page say of sizes is what their script makes of the record, which a benchmark writes."""

from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_the_page_is_what_the_script_makes(script, records, check_page):
    check_page(script.PAGE, records)


def test_the_figures_of_the_readme_are_those_of_the_record(script, records):
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    for row in script.readme_rows(records):
        assert row in readme.splitlines(), "run: python docs/scripts/compression.py, and copy its rows"


def test_all_models_of_the_record_ship_and_their_twins_cost_little(records):
    for record in records.values():
        assert record["model"].startswith("nextpixel/")
        assert abs(record["twin_bytes"] / record["model_bytes"] - 1) < 0.005


def test_the_better_of_file_and_sheet_is_marked(script):
    record = {"images": 10, "sub_pixels": 800, "file_bytes": 100, "model_bytes": 99, "twin_bytes": 99}
    record |= {"weights_bytes": 1000, "model": "nextpixel/a"}
    record |= {f"{form} {way}": 200 for form in script.FORMATS for way in ("files", "sheet")}
    name = script.IN_README[0]
    worse = record | {"JPEG XL sheet": 80}
    assert "| **1.00** bits per" in script.readme_rows({name: record, script.IN_README[1]: worse})[0]
    assert "**0.80** JPEG XL" in script.readme_rows({name: worse, script.IN_README[1]: worse})[0]
    assert "| 100 images |" in script.sizes({name: record}) and "| never |" in script.sizes({name: worse})

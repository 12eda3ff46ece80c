"""The tables of anomaly scores are what their script makes of the record, which a benchmark writes."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest

import nextpixel as nx
from helpers.scripts import load_script
from nextpixel.scoring.anomaly import DEFAULT_SCORE

ROOT = Path(__file__).parents[2]


def test_the_page_is_what_the_script_makes(script, records, check_page):
    check_page(script.PAGE, records)


def test_the_row_of_the_readme_is_that_of_the_record(script, records):
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert script.readme_row(records) in readme.splitlines(), "run: python docs/scripts/scoring.py, and copy its row"


def test_the_default_is_the_best_score_that_needs_no_second_model(script, records):
    scores = records[script.TASK]["scores"]
    alone = {name: one["area"] for name, one in scores.items() if one["kind"] == "score"}
    assert max(alone, key=lambda name: alone[name]) == DEFAULT_SCORE


def test_the_best_score_is_marked_and_stands_first(script, records):
    rows = [line for line in script.table(script.TASK, records[script.TASK]).splitlines() if line.startswith("|")]
    assert "**" in rows[2] and not any("**" in row for row in rows[3:])
    areas = [float(row.split("|")[2].strip(" *").split()[0]) for row in rows[2:]]
    assert areas == sorted(areas, reverse=True)


def test_the_benchmark_measures_areas_with_their_errors(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    area = load_script("benchmarks/anomaly.py").area
    random = np.random.default_rng(0)
    equal = area(random.normal(size=400), random.normal(size=400))
    # The standard deviation of the area of two equal distributions is about sqrt((m + n + 1) / (12 m n)).
    assert equal["area"] == pytest.approx(0.5, abs=0.07) and equal["standard error"] == pytest.approx(0.0204, rel=0.15)
    assert area(np.zeros(9), np.zeros(7)) == pytest.approx({"area": 0.5, "standard error": 0.0}, abs=1e-12)
    assert area(np.arange(9.0), np.arange(9.0, 20.0))["area"] == 1.0


def test_the_benchmark_writes_a_record_of_digits(monkeypatch, tmp_path):
    pytest.importorskip("pyod")
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    module = load_script("benchmarks/anomaly.py")
    digits, negatives = tmp_path / "digits.npz", tmp_path / "negatives.npz"
    images = nx.open_images("digits")
    np.savez(digits, images=images[:100].numpy()[:, 0], levels=17)
    np.savez(negatives, images=16 - images[100:140].numpy()[:, 0], levels=17)
    words = ["nextpixel/digits-gated", str(digits), str(negatives), "--record", str(tmp_path / "record.json")]
    monkeypatch.setattr(sys, "argv", ["anomaly.py", *words])
    module.main()
    record = json.loads((tmp_path / "record.json").read_text())["digits against negatives"]
    assert record["images"] == [100, 40] and record["scores"]["complexity"]["area"] > 0.9

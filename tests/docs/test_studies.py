"""The tables of "Training craft" are parts of the one that the benchmark makes of the record."""

import re
from pathlib import Path

import numpy as np
import pytest

from helpers.scripts import load_script

RESULTS = Path(__file__).parents[2] / "docs" / "results"
DIFFERENCE = "difference, nats"
"""Its standard error needs the nats of each image, which are not kept with the record."""


def cells(line):
    return [cell.strip() for cell in line.strip().removeprefix("|").removesuffix("|").split("|")]


def rows(lines):
    """The rows of all tables, by the names of their columns."""
    header = None
    for line in lines:
        if not line.startswith("|"):
            header = None
        elif header is None:
            header = cells(line)
        elif not set(line) <= set("|-"):
            row = dict(zip(header, cells(line), strict=True))
            yield row | ({DIFFERENCE: row[DIFFERENCE].partition(" ± ")[0]} if DIFFERENCE in row else {})


@pytest.fixture(scope="module")
def craft():
    return load_script("benchmarks/craft.py")


@pytest.fixture(scope="module")
def record(craft):
    record = craft.Record(RESULTS / "craft.jsonl")
    record.nats = {name: np.full(2, line["nats"]) for name, line in record.lines.items() if "nats" in line}
    return record


@pytest.fixture(scope="module")
def section():
    return re.search(
        r"^## Training craft\n(.*?)^## ", (RESULTS / "studies.md").read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL
    )[1]


def test_the_rows_of_the_page_are_those_of_the_record(craft, record, section):
    made = {row["changed"]: row for row in rows(craft.table(record))}
    shown = list(rows(section.splitlines()))
    assert len(shown) > 30
    for row in shown:
        assert row == {column: made[row["changed"]][column] for column in row}, row["changed"]


def test_the_page_says_how_much_seeds_differ_and_how_the_record_was_made(record, section):
    about = record.lines["about"]
    seeds = [record.lines[name]["nats"] for name in ("base", "seed 1", "seed 2")]
    assert f"deviation of three seeds is {np.std(seeds, ddof=1):.1f} nats" in " ".join(section.split())
    assert f"--steps {about['steps']} " in section and f"--processes {about['processes']}\n" in section
    assert f"{record.lines['base']['parameters']:,} parameters" in section
    assert f"{about['training_images']:,} training images and {about['valid_images']:,} held-out images" in section

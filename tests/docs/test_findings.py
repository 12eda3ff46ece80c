"""Each script of findings/ is listed, says what was seen and when, and installs pinned packages of others only."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SCRIPTS = sorted((ROOT / "findings").iterdir())
PAGE = (ROOT / "docs" / "findings.md").read_text(encoding="utf-8")


def test_the_page_lists_the_scripts_and_tests_that_are_there():
    assert re.findall(r"^\| `([\w-]+\.sh)`", PAGE, re.MULTILINE) and {path.name for path in SCRIPTS} == set(
        re.findall(r"^\| `([\w-]+\.sh)`", PAGE, re.MULTILINE)
    )
    for test in re.findall(r"`(tests/[\w/]+\.py)`", PAGE):
        assert (ROOT / test).is_file(), test


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.stem)
def test_a_script_pins_its_packages_and_makes_its_own_folder(path):
    text = path.read_text(encoding="utf-8")
    head = text.partition("set -euo pipefail")[0]
    assert path.stat().st_mode & 0o100 and "mktemp -d" in text
    assert "Expected:" in head and re.search(r"Saw[: (]", head) and re.search(r"20\d\d-\d\d-\d\d", head)
    packages = re.search(r"pip install (?:--\S+ )*(.+)", text)[1].split()
    assert packages and all(re.fullmatch(r"[\w-]+==[\d.]+", package) for package in packages)
    assert "nextpixel" not in text.partition("set -euo pipefail")[2] and "http" not in text
    assert "the behaviour has changed" in text

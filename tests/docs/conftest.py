"""What the tests of pages that scripts make have in common."""

import json

import pytest

from helpers.scripts import load_script


@pytest.fixture(scope="module")
def place(request):
    """Where the script is that a module of tests has its name from."""
    return f"docs/scripts/{request.path.stem.removeprefix('test_')}.py"


@pytest.fixture(scope="module")
def script(place):
    return load_script(place)


@pytest.fixture(scope="module")
def records(script):
    """What a benchmark has written for the script."""
    return json.loads(script.RECORD.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def check_page(script, place):
    """A function that holds a page to what the script makes: of it as a whole, or of records between its marks."""

    def check(path, records=None):
        page = path.read_text(encoding="utf-8")
        if records is not None:
            assert len(script.MARKED.findall(page)) == page.count(f"made by {place}. Do not edit.") > 0
        made = script.page() if records is None else script.filled(page, records)
        assert page == made, f"run: python {place}"

    return check

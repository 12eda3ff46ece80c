"""benchmarks/peak.py, in small."""

import pytest
import torch

from helpers.scripts import load_script
from nextpixel.families.registry import FAMILIES


@pytest.fixture(scope="module")
def peak():
    return load_script("benchmarks/peak.py")


@pytest.fixture
def small(peak, monkeypatch):
    """The same cases with few pixels and features, beside small products."""

    def shrunk(case):
        return case._replace(shape=(case.shape[0], 4, 4), batch=2, options=case.options | {"features": 4, "layers": 1})

    for name in ("FAMILIES", "EQUAL"):
        monkeypatch.setattr(peak, name, [shrunk(case) for case in getattr(peak, name)])
    monkeypatch.setattr(peak, "GATED", peak.FAMILIES[0])
    monkeypatch.setattr(peak, "SIDES", (8, 16))
    threads = torch.get_num_threads()
    yield peak
    torch.set_num_threads(threads)


def tables(peak, monkeypatch, capsys, *words):
    """The rows of each table that is printed, by name."""
    monkeypatch.setattr("sys.argv", ["peak.py", "--busy", "--turns", "1", "--no-compile", *words])
    peak.main()
    blocks = capsys.readouterr().out.split("\n\n")[1:]
    return [{line[:60].strip(): line[60:].split() for line in block.splitlines()[1:]} for block in blocks]


def test_models_of_equal_size_differ_by_an_eighth_at_most(peak):
    gated, *others = (peak.visible_weights(peak.build(case)) for case in peak.EQUAL)
    assert [weights / gated for weights in others] == [pytest.approx(1, abs=1 / 8)] * len(others)


def test_every_family_that_trains_on_small_images_has_a_case(peak):
    timed = {case.family for case in [*peak.FAMILIES, *peak.EQUAL]}
    # A local model is for whole pictures, a turned one is its inner one.
    assert timed == set(FAMILIES) - {"local-pixelcnn", "turned"}


@pytest.mark.parametrize("table", ["families", "textbook", "equal"])
def test_a_table_has_its_cases_alone(small, monkeypatch, capsys, table):
    (rows,) = tables(small, monkeypatch, capsys, "--only", table)
    if table == "textbook":
        assert list(rows)[:2] == ["textbook", str(small.GATED)]
    else:
        assert list(rows) == [str(case) for case in {"families": small.FAMILIES, "equal": small.EQUAL}[table]]
    first = next(iter(rows.values()))
    assert float(first[-1]) == 1


def test_all_tables_come_from_one_run(small, monkeypatch, capsys):
    assert len(tables(small, monkeypatch, capsys)) == 3


def test_an_unknown_table_is_refused(peak, monkeypatch, capsys):
    with pytest.raises(SystemExit, match="2"):
        tables(peak, monkeypatch, capsys, "--only", "equal,later")
    assert "there is no table later; there are families, textbook, equal" in capsys.readouterr().err

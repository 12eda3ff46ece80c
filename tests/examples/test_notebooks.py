"""The notebooks of the examples: their cells run, here without Jupyter and in small, and they hold no outputs."""

import json
from pathlib import Path

import pytest

from helpers.scripts import code_cells

EXAMPLES = Path(__file__).parents[2] / "examples"
NOTEBOOKS = sorted(EXAMPLES.glob("*.ipynb"))
SMALL = {
    "exact-likelihood": {"steps=150": "steps=2", "sample(16": "sample(2"},
    "own-pictures": {"range(4)": "range(1)", "draws = 5": "draws = 1"},
}


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_its_cells_run(path, monkeypatch, tmp_path):
    monkeypatch.setenv("NEXTPIXEL_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    cells = code_cells(path)
    for large, small in SMALL[path.stem].items():
        assert any(large in cell for cell in cells), large
        cells = [cell.replace(large, small) for cell in cells]
    namespace = {}
    for cell in cells:
        exec(compile(cell, path.name, "exec"), namespace)
    assert (tmp_path / "runs" / path.stem).is_dir()


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_it_holds_no_outputs(path):
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    assert all(cell["outputs"] == [] and cell["execution_count"] is None for cell in cells if "outputs" in cell)


def test_the_guide_links_all_of_them():
    guide = (EXAMPLES.parent / "docs" / "how-to" / "notebooks.md").read_text(encoding="utf-8")
    assert len(NOTEBOOKS) == len(SMALL)
    for path in NOTEBOOKS:
        assert f"{{file}}`examples/{path.name}`" in guide
        assert f"<../notebooks/{path.stem}>`" in guide and f"\n../notebooks/{path.stem}\n" in guide

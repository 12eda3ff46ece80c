"""The examples, in small: each runs from end to end and writes what it says."""

import ast
import sys
from pathlib import Path

import pytest

import nextpixel as nx
from helpers.scripts import code_cells, load_script

EXAMPLES = Path(__file__).parents[2] / "examples"
SOURCES = sorted([*EXAMPLES.rglob("*.py"), *EXAMPLES.glob("*.ipynb")])

SMALL = {
    "archive": "--count 8",
    "completion": "--images 2 --draws 2 --candidates 2",
    "demo": "--minutes 0.02",
    "own_folder": "--steps 3",
    "production_line": "--steps 3 --count 60",
    "variations": "--minutes 0.02",
    "vq_prior": "--steps 3 --features 8 --layers 2",
}
PICTURES = {
    "archive": "digits.npx",
    "completion": "completions.png",
    "demo": "samples.png",
    "own_folder": "samples.png",
    "production_line": "strangest",
    "variations": "variations.png",
    "vq_prior": "samples.png",
}


def run_example(name, words, monkeypatch):
    place = f"examples/{name}.py"
    module = load_script(place)
    monkeypatch.setattr(sys, "argv", [place, *words])
    module.main()


@pytest.fixture(autouse=True)
def own_cache(monkeypatch, tmp_path):
    monkeypatch.setenv("NEXTPIXEL_CACHE", str(tmp_path / "cache"))


def test_every_example_is_tested():
    assert sorted(path.stem for path in EXAMPLES.glob("*.py")) == sorted([*SMALL, "my_family"])


@pytest.mark.parametrize("name", SMALL)
def test_it_runs_and_writes_what_it_says(name, monkeypatch, tmp_path, capsys):
    out = tmp_path / "out"
    run_example(name, [*SMALL[name].split(), "--out", str(out)], monkeypatch)
    assert (out / PICTURES[name]).exists()
    said = capsys.readouterr().out
    assert str(out / PICTURES[name]) in said or name == "archive"
    assert ("this machine is slow or busy: it took" in said) == (name == "demo")


def test_the_prior_takes_codes_of_any_encoder(monkeypatch, tmp_path):
    import numpy as np

    codes = np.random.default_rng(0).integers(0, 200, (40, 3, 5))
    codes[0, 0, 0] = 199
    np.savez(tmp_path / "codes.npz", codes=codes)
    words = ["--codes", str(tmp_path / "codes.npz"), "--steps", "2", "--features", "8", "--layers", "2"]
    run_example("vq_prior", [*words, "--out", str(tmp_path / "out")], monkeypatch)
    with np.load(tmp_path / "out" / "drawn.npz") as drawn:
        assert drawn["codes"].shape == (64, 3, 5) and drawn["codes"].max() < 200
    assert nx.load(tmp_path / "out" / "run").levels == 200


def parsed(path):
    """A script or a notebook."""
    return ast.parse("\n".join(code_cells(path)) if path.suffix == ".ipynb" else path.read_text())


def imports_of_nextpixel(path):
    """What a script imports of the package, as it is written."""
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.Import):
            yield from (
                f"{alias.name} as {alias.asname}" for alias in node.names if alias.name.split(".")[0] == "nextpixel"
            )
        elif isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "nextpixel":
            yield f"from {node.module}"


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.stem)
def test_examples_import_nothing_but_the_public_interface(path):
    assert set(imports_of_nextpixel(path)) <= {"nextpixel as nx"}


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.stem)
def test_examples_use_only_public_names(path):
    used = {
        node.attr
        for node in ast.walk(parsed(path))
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "nx"
    }
    assert used <= set(nx.__all__)

"""`nextpixel prepare` as a user runs it, and the other commands on what it wrote."""

import json

import numpy as np
import pytest
import torch
from PIL import Image

import nextpixel as nx
from nextpixel.cli.app import run

QUICK = "--features 6 --layers 2 --batch-size 8 --steps 4 --grids 0 --validations 1".split()  # noqa: SIM905


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("NEXTPIXEL_CACHE", str(tmp_path / "own cache"))


def nextpixel(*words):
    return run([str(word) for word in words])


@pytest.fixture
def pictures(tmp_path):
    """A folder of two classes and a file that is no image."""
    random = np.random.default_rng(0)
    for number in range(24):
        path = tmp_path / "pictures" / f"class{number % 2}" / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(random.integers(0, 256, (9, 8, 3)).astype(np.uint8)).save(path)
    (tmp_path / "pictures" / "class0" / "broken.png").write_bytes(b"broken")
    return tmp_path / "pictures"


def test_a_folder_is_prepared_verified_and_opened(pictures, tmp_path, capsys):
    out = tmp_path / "out"
    assert nextpixel("prepare", pictures, "--out", out, "--mode", "grey", "--resize", "8x8", "--levels", 16) == 0
    captured = capsys.readouterr()
    assert "24 images of 1 x 8 x 8, 16 levels" in captured.out and str(out) in captured.out
    assert "skipped class0/broken.png" in captured.err and "quantised from 256 to 16" in captured.err
    wishes = {"mode": "grey", "resize": (8, 8), "levels": 16}
    assert torch.equal(nx.open_images(out)[:], nx.open_images(pictures, **wishes)[:])
    assert nextpixel("prepare", out, "--verify") == 0
    assert "24 images in" in capsys.readouterr().out
    shard = out / "images-00000.npy"
    data = bytearray(shard.read_bytes())
    data[500] ^= 1
    shard.write_bytes(data)
    assert nextpixel("prepare", "--verify", out) == 2
    assert "images-00000.npy is damaged" in capsys.readouterr().err


def test_a_model_of_a_prepared_set_reads_other_images_alike(pictures, tmp_path, capsys):
    out = tmp_path / "out"
    wishes = ["--mode", "grey", "--resize", "8x8", "--binarize", "stochastic", "--binarize-seed", 3]
    assert nextpixel("prepare", pictures, "--out", out, *wishes) == 0
    assert nextpixel("train", out, "--out", tmp_path / "run", "--condition", "labels", *QUICK) == 0
    model = nx.load(tmp_path / "run")
    assert model.record.images.resize == "8x8" and model.record.images.binarize == "stochastic"
    assert "stochastic, fixed" in model.record.binarisation
    capsys.readouterr()
    found = []
    for source in (out, pictures):
        assert nextpixel("evaluate", tmp_path / "run", source, "--json") == 0
        found.append(json.loads(capsys.readouterr().out) | {"data": None})
    assert found[0] == found[1]
    assert nextpixel("score", tmp_path / "run", out, "--out", tmp_path / "scores.csv") == 0
    assert "class0/0.png" in (tmp_path / "scores.csv").read_text()
    assert nextpixel("complete", tmp_path / "run", out, "--known", "top", "--out", tmp_path / "completed") == 0


def test_options_on_top_of_a_prepared_set_are_remembered(pictures, tmp_path):
    assert nextpixel("prepare", pictures, "--out", tmp_path / "out", "--mode", "grey", "--levels", 16) == 0
    assert nextpixel("train", tmp_path / "out", "--out", tmp_path / "run", "--levels", 4, *QUICK) == 0
    images = nx.load(tmp_path / "run").record.images
    assert (images.levels, images.mode, images.resize, images.drop_alpha) == (4, "grey", None, False)


def test_bits_of_a_quantised_set_are_remembered_as_bits(pictures, tmp_path):
    assert nextpixel("prepare", pictures, "--out", tmp_path / "out", "--mode", "grey", "--levels", 16) == 0
    assert nextpixel("train", tmp_path / "out", "--out", tmp_path / "run", "--binarize", "threshold", *QUICK) == 0
    images = nx.load(tmp_path / "run").record.images
    assert (images.levels, images.binarize, images.mode) == (None, "threshold", "grey")
    assert nextpixel("evaluate", tmp_path / "run", pictures, "--resize", "9x8") == 2
    assert nextpixel("evaluate", tmp_path / "run", pictures) == 0


def test_resuming_knows_the_set_again(pictures, tmp_path, capsys):
    assert nextpixel("prepare", pictures, "--out", tmp_path / "out") == 0
    assert nextpixel("train", tmp_path / "out", "--out", tmp_path / "run", *QUICK) == 0
    assert nextpixel("train", tmp_path / "out", "--out", tmp_path / "run", *QUICK, "--resume") == 0
    assert nextpixel("prepare", pictures, "--out", tmp_path / "other", "--levels", 255) == 0
    capsys.readouterr()
    assert nextpixel("train", tmp_path / "other", "--out", tmp_path / "run", *QUICK, "--resume") == 2


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["digits"], "--out"),
        (["digits", "--verify"], "not a prepared set"),
        (["digits", "--verify", "--out", "x"], "leave out --out"),
        (["digits", "--verify", "--levels", "2"], "leave out --out"),
        (["nowhere", "--out", "x"], "neither a file"),
        (["digits", "--out", "x", "--shard-mb", "0"], "megabytes"),
        (["digits", "--out", "x", "--binarize", "dynamic"], "cannot be stored"),
        (["digits", "--out", "x", "--levels", "18"], "fewer than the 18"),
    ],
)
def test_what_cannot_be_done_leaves_nothing(tmp_path, monkeypatch, capsys, words, sentence):
    monkeypatch.chdir(tmp_path)
    assert nextpixel("prepare", *words) == 2
    assert sentence in capsys.readouterr().err
    assert not (tmp_path / "x").exists()


def test_the_folder_has_to_be_new_and_outside(pictures, capsys):
    assert nextpixel("prepare", "digits", "--out", pictures) == 2
    assert "holds files already" in capsys.readouterr().err
    assert nextpixel("prepare", pictures, "--out", pictures / "prepared") == 2
    assert "lies inside" in capsys.readouterr().err

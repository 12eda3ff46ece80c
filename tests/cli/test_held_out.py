"""The images that `nextpixel train` held back, found again by the commands."""

import json
import re

import numpy as np
import pytest
from PIL import Image

import nextpixel as nx
from nextpixel.cli.app import run

QUICK = ["--features", "6", "--layers", "2", "--steps", "3", "--batch-size", "4", "--grids", "0", "--validations", "1"]
QUICK += ["--valid-fraction", "0.3"]


def patches(path, seed):
    """A file of labelled images of 4 x 4 with 3 levels."""
    generator = np.random.default_rng(seed)
    images = generator.integers(0, 3, (24, 4, 4)).astype(np.uint8)
    np.savez(path, images=images, labels=np.arange(24) % 2, vectors=generator.random((24, 3)).astype("f"), levels=3)
    return path


@pytest.fixture(params=[(), ("labels",), ("vectors",)], ids=["plain", "labels", "vectors"])
def trained(request, tmp_path):
    """A file of images, and a run that was trained on a part of them."""
    data, folder = patches(tmp_path / "patches.npz", seed=0), tmp_path / "run"
    given = ["--condition", *request.param] if request.param else []
    assert run(["train", str(data), "--out", str(folder), *given, *QUICK]) == 0
    return data, folder


def told(capsys, *words):
    capsys.readouterr()
    assert run([*map(str, words), "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_valid_are_the_images_that_the_run_was_validated_on(trained, capsys):
    data, folder = trained
    valid = told(capsys, "evaluate", folder, data, "--split", "valid")
    training = told(capsys, "evaluate", folder, data, "--split", "train")
    everything = told(capsys, "evaluate", folder, data, "--split", "all")
    assert (valid["images"], training["images"], everything["images"]) == (7, 17, 24)
    assert valid["nats"] == pytest.approx(nx.load(folder).record.likelihood.nats, abs=1e-4)
    assert 7 * valid["nats"] + 17 * training["nats"] == pytest.approx(24 * everything["nats"])


@pytest.mark.parametrize("words", [["evaluate"], ["compare"]])
def test_who_evaluates_training_images_is_told(trained, capsys, tmp_path, words):
    data, folder = trained
    runs = [folder, folder][: 1 + (words == ["compare"])]
    capsys.readouterr()
    assert run([*words, *map(str, [*runs, data])]) == 0
    said = " ".join(capsys.readouterr().err.split())
    assert "17 of these 24 images are those of the training; --split valid takes the 7 that were held back" in said
    for other in ([data, "--split", "all"], [data, "--split", "valid"], [patches(tmp_path / "other.npz", seed=1)]):
        assert run([*words, *map(str, [*runs, *other])]) == 0
        assert "training" not in capsys.readouterr().err


def test_who_evaluates_all_splits_is_told(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("NEXTPIXEL_CACHE", str(tmp_path / "cache"))
    for number in range(8):
        folder = tmp_path / "pictures" / ("valid" if number % 4 == 0 else "train")
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.full((4, 4), 30 * number, np.uint8)).save(folder / f"{number}.png")
    data, out = str(tmp_path / "pictures"), str(tmp_path / "run")
    assert run(["train", data, "--out", out, "--levels", "3", *QUICK]) == 0
    capsys.readouterr()
    assert run(["evaluate", out, data]) == 0
    assert "the images of all splits (train, valid); --split valid takes one" in capsys.readouterr().err
    assert run(["evaluate", out, data, "--split", "valid"]) == 0
    assert "splits" not in capsys.readouterr().err


def test_export_evaluates_those(trained, capsys, tmp_path, monkeypatch):
    data, folder = trained
    monkeypatch.chdir(tmp_path)
    assert run(["export", str(folder), "--valid", str(data), "--out", "small"]) == 0
    card = (tmp_path / "small" / "README.md").read_text()
    assert "7 images" in card and "`nextpixel evaluate small patches.npz --split valid`" in card
    figure = re.search(r"[\d.]+ ± [\d.]+ nats", card)[0]
    capsys.readouterr()
    assert run(["evaluate", "small", "patches.npz", "--split", "valid"]) == 0
    assert figure in capsys.readouterr().out


def test_of_other_images_nothing_was_held_back(trained, capsys, tmp_path):
    _, folder = trained
    other, out = patches(tmp_path / "other.npz", seed=1), tmp_path / "small"
    for words in (["evaluate", folder, other, "--split", "valid"], ["export", folder, "--valid", other, "--out", out]):
        assert run([*map(str, words)]) == 2
        assert "other.npz is not the set of images" in " ".join(capsys.readouterr().err.split())
    assert not out.exists()
    assert run(["export", str(folder), "--valid", str(other), "--out", str(out), "--split", "all"]) == 0
    assert "24 images" in (out / "README.md").read_text()

"""`nextpixel score`, `compare`, and `train --background-of` as a user runs them."""

import csv
import json

import numpy as np
import pytest
from PIL import Image

import nextpixel as nx
from nextpixel.cli.app import run

QUICK = "--features 6 --layers 2 --batch-size 8 --steps 4 --grids 0 --validations 1".split()  # noqa: SIM905


def nextpixel(*words):
    return run([str(word) for word in words])


@pytest.fixture(scope="module")
def pets(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data") / "pets"
    random = np.random.default_rng(0)
    for kind in ("cat", "dog, young", "owl"):
        (folder / kind).mkdir(parents=True)
        for index in range(8):
            Image.fromarray(random.integers(0, 256, (5, 4)).astype(np.uint8)).save(folder / kind / f"{index}.png")
    return folder


@pytest.fixture(scope="module")
def trained(pets, tmp_path_factory):
    out = tmp_path_factory.mktemp("runs") / "plain"
    assert nextpixel("train", pets, "--levels", 8, "--out", out, *QUICK, "--seed", 3) == 0
    return out


@pytest.fixture(scope="module")
def background(pets, trained, tmp_path_factory):
    out = tmp_path_factory.mktemp("runs") / "background"
    assert nextpixel("train", pets, "--background-of", trained, "--mutation", 0.3, "--out", out) == 0
    return out


@pytest.fixture(scope="module")
def by_label(pets, tmp_path_factory):
    out = tmp_path_factory.mktemp("runs") / "labels"
    assert nextpixel("train", pets, "--levels", 8, "--condition", "labels", "--out", out, *QUICK) == 0
    return out


def read(path):
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_a_background_model_is_the_run_on_mutated_images(trained, background):
    one, two = (json.loads((folder / "train.json").read_text()) for folder in (trained, background))
    assert one["model"] == two["model"] and one["training"] == two["training"] and one["data"] != two["data"]
    assert nx.load(background).record.mutation == 0.3
    assert nx.load(background).record.images == nx.load(trained).record.images


def test_a_background_model_takes_other_training_options_but_no_other_model(trained, pets, tmp_path, capsys):
    words = ["train", pets, "--background-of", trained, "--out", tmp_path / "a"]
    assert nextpixel(*words, "--features", 7) == 2
    assert "leave out the options of the model" in capsys.readouterr().err
    assert nextpixel(*words, "--mutation", 1.5) == 2
    assert "mutation rate is 1.5" in capsys.readouterr().err
    assert nextpixel(*words, "--epochs", 0.5, "--learning-rate", 0.01) == 0
    settings = json.loads((tmp_path / "a" / "train.json").read_text())["training"]
    assert (settings["steps"], settings["epochs"], settings["learning_rate"]) == (None, 0.5, 0.01)
    assert settings["batch_size"] == 8 and settings["seed"] == 3


def test_a_table_of_scores(trained, background, pets, tmp_path, capsys):
    out = tmp_path / "deep" / "scores.csv"
    words = [
        "--background",
        background,
        "--normal",
        pets,
        "--threshold",
        0.2,
        "--summary",
        tmp_path / "s.png",
        "--by",
        "ratio",
    ]
    assert nextpixel("score", trained, pets, "--out", out, *words) == 0
    said = capsys.readouterr().out
    assert "24 images, mean" in said and "are anomalous: ratio above" in said and "at most 20.00% false alarms" in said
    rows = read(out)
    assert len(rows) == 24 and rows[8]["image"] == "dog, young/0.png" and rows[8]["given_label"] == "dog, young"
    model, images = nx.load(trained), nx.open_images(pets, levels=8)
    table = nx.score(model, images, background=nx.load(background), normal=images, by="ratio", false_alarms=0.2)
    for name in ("nats", "bits_per_dim", "typicality", "complexity", "ratio", "p_value"):
        np.testing.assert_allclose([float(row[name]) for row in rows], table[name], rtol=1e-5, atol=1e-5)
    assert [row["anomalous"] == "True" for row in rows] == table["anomalous"].tolist()
    assert Image.open(tmp_path / "s.png").size[0] > 800


def test_json_lines_and_maps(trained, pets, tmp_path, capsys):
    maps = tmp_path / "maps"
    assert nextpixel("score", trained, pets, "--out", tmp_path / "a.jsonl", "--maps", maps) == 0
    rows = [json.loads(line) for line in (tmp_path / "a.jsonl").read_text().splitlines()]
    assert len(rows) == 24 and rows[0]["image"] == "cat/0.png" and isinstance(rows[0]["nats"], float)
    names = sorted(path.name for path in maps.iterdir())
    assert len(names) == 24 and names[8] == "08-dog__young_0.png"
    assert nextpixel("score", trained, pets, "--out", tmp_path / "b.jsonl", "--maps", maps) == 2
    assert "holds files already" in capsys.readouterr().err and not (tmp_path / "b.jsonl").exists()


def test_classes_by_bayes_rule(by_label, pets, tmp_path):
    assert nextpixel("score", by_label, pets, "--out", tmp_path / "a.csv") == 0
    for row in read(tmp_path / "a.csv"):
        shares = {name: float(row[f"p({name})"]) for name in ("cat", "dog, young", "owl")}
        assert sum(shares.values()) == pytest.approx(1, abs=1e-6)
        assert row["label"] == max(shares, key=shares.get)
    assert nextpixel("score", by_label, pets, "--out", tmp_path / "b.csv", "--own-labels") == 0
    model, images = nx.load(by_label), nx.open_images(pets, levels=8)
    own = nx.score(model, images, images.labels)
    rows = read(tmp_path / "b.csv")
    assert "label" not in rows[0]
    np.testing.assert_allclose([float(row["nats"]) for row in rows], own["nats"], rtol=1e-6)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--out", "a.txt"], "--out a.txt must end with .csv or .jsonl"),
        (["--out", "a.csv", "--threshold", "0.1"], "need held-out normal images"),
        (["--out", "a.csv", "--by", "ratio"], "--by ratio needs --background"),
        (["--out", "a.csv", "--maps", "a.csv"], "must differ"),
        (["--out", "a.csv", "--summary", "a.jpg"], "must end with .png"),
        (["--out", "a.csv", "--background", "nowhere"], "nowhere is not a model folder"),
    ],
)
def test_what_cannot_be_is_refused_before_any_work(trained, pets, tmp_path, capsys, monkeypatch, words, said):
    monkeypatch.chdir(tmp_path)
    assert nextpixel("score", trained, pets, *words) == 2
    assert said in capsys.readouterr().err and not list(tmp_path.iterdir())


def test_a_background_of_other_images_is_refused(trained, by_label, pets, tmp_path, capsys):
    assert nextpixel("score", trained, pets, "--background", by_label, "--out", tmp_path / "a.csv") == 2
    assert "takes other images or conditions than the model" in capsys.readouterr().err


def test_two_runs_are_compared(trained, background, pets, capsys):
    assert nextpixel("compare", trained, background, pets) == 0
    said = capsys.readouterr().out
    assert "difference, image by image" in said and "24 images" in said
    assert nextpixel("compare", trained, background, pets, "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert found["difference"]["images"] == 24 and found["first_run"] == str(trained)

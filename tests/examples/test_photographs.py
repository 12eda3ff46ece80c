"""The examples that made nextpixel/photographs, in small."""

import sys

import numpy as np
import pytest
import torch
from PIL import Image

import nextpixel as nx
from helpers.scripts import load_script


def example(name):
    return load_script(f"examples/photographs/{name}.py")


def run(name, monkeypatch, *words):
    monkeypatch.setattr(sys, "argv", [name, *map(str, words)])
    example(name).main()


@pytest.fixture
def folder(tmp_path):
    path = tmp_path / "originals" / "deep"
    path.mkdir(parents=True)
    for number, size in enumerate([(150, 120), (60, 90)]):
        noise = np.random.default_rng(number).integers(0, 256, (*size, 3), dtype=np.uint8)
        Image.fromarray(noise).save(path / f"{number}.png")
    return tmp_path / "originals"


def test_gathering_is_a_function_of_the_seed(folder, tmp_path, monkeypatch):
    for out, seed in (("a", 3), ("b", 3), ("c", 4)):
        run("gather", monkeypatch, "--folder", folder, "--copies", 4, "--seed", seed, "--out", tmp_path / out)
    files = {out: [path.read_bytes() for path in sorted((tmp_path / out).glob("*.png"))] for out in "abc"}
    assert len(files["a"]) == 8 and len(set(files["a"])) == 8
    assert files["a"] == files["b"] != files["c"]


def test_copies_are_no_larger_than_asked_for(folder, tmp_path, monkeypatch):
    run("gather", monkeypatch, "--folder", folder, "--most-pixels", 3000, "--out", tmp_path / "out")
    for path in (tmp_path / "out").glob("*.png"):
        with Image.open(path) as picture:
            assert picture.width * picture.height <= 1.1 * 3000


def test_a_full_folder_is_not_gathered_into(folder, monkeypatch):
    with pytest.raises(SystemExit):
        run("gather", monkeypatch, "--folder", folder, "--out", folder)


def test_windows_are_those_of_the_model(folder):
    model = nx.build("local-pixelcnn", image_shape=(3, 4, 4), levels=256, features=8, layers=1).eval()
    photographs = example("train").Photographs(folder / "deep", model)
    with Image.open(folder / "deep" / "1.png") as picture:
        image = torch.from_numpy(np.asarray(picture).transpose(2, 0, 1).copy())[None]
    numbers = 150 * 120 + torch.arange(60 * 90)
    with torch.no_grad():
        log_prob = model.log_prob_at(photographs.windows(numbers), photographs.values(numbers)).sum()
        assert torch.allclose(log_prob, model.log_prob(image)[0], rtol=1e-5)
    assert len(photographs) > numbers.max()


def test_a_training_that_was_stopped_ends_with_the_same_bits(folder, tmp_path, monkeypatch):
    words = [
        "--pictures",
        folder / "deep",
        "--pixels",
        64,
        "--features",
        8,
        "--layers",
        1,
        "--every",
        2,
        "--falling",
        3,
    ]
    run("train", monkeypatch, *words, "--steps", 5, "--out", tmp_path / "whole")
    stopped = example("train")
    monkeypatch.setattr(sys, "argv", ["train", *map(str, words), "--steps", "5", "--out", str(tmp_path / "again")])
    steps = iter(range(3))
    monkeypatch.setattr(
        stopped, "rate", lambda step, arguments: (next(steps), example("train").rate(step, arguments))[1]
    )
    with pytest.raises(StopIteration):
        stopped.main()
    run("train", monkeypatch, *words, "--steps", 5, "--out", tmp_path / "again")
    whole, again = (nx.load(tmp_path / name / "model").state_dict() for name in ("whole", "again"))
    assert all(torch.equal(whole[name], again[name]) for name in whole)

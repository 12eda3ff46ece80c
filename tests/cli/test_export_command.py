import shlex

import numpy as np
import pytest
from PIL import Image

import nextpixel as nx
from nextpixel.cli.app import run

TINY = ["--features", "6", "--layers", "2", "--batch-size", "16", "--grids", "0", "--steps", "20"]


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    out = tmp_path_factory.mktemp("runs") / "digits"
    assert run(["train", "digits", "--out", str(out), *TINY]) == 0
    return out


def test_the_command_in_the_card_gives_the_figure_in_the_card(trained, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert run(["export", str(trained), "--valid", "digits", "--out", "small", "--outputs", "3"]) == 0
    assert "changed the nats by" in capsys.readouterr().out
    record = nx.load("small").record
    assert record.evaluated_by == "nextpixel evaluate small digits --split valid"
    assert run(shlex.split(record.evaluated_by)[1:]) == 0
    assert record.validation.removeprefix("digits: ") in capsys.readouterr().out
    assert "cores" in record.hardware
    assert record.settings["steps"] == 20


def test_options_of_the_images_are_in_that_command(trained, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    pixels = nx.open_images("digits", split="test")[:5][:, 0].numpy() * 15
    np.savez(tmp_path / "brighter.npz", images=pixels.astype(np.uint8))
    path = str(tmp_path / "brighter.npz")
    words = ["--name", "me/it", "--split", "all", "--levels", "17", "--dtype", "float32", "--outputs", "2"]
    assert run(["export", str(trained), "--valid", path, "--out", "small", *words]) == 0
    record = nx.load("small").record
    assert record.evaluated_by == "nextpixel evaluate me/it brighter.npz --split all --levels 17"
    capsys.readouterr()
    command = shlex.split(record.evaluated_by.replace("me/it", "small"))[1:]
    assert run(command) == 0
    assert record.validation.removeprefix("brighter.npz: ") in capsys.readouterr().out


def test_a_model_of_any_size_is_exported_with_pictures_of_mixed_sizes(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "pictures").mkdir()
    generator = np.random.default_rng(0)
    for number, (height, width) in enumerate([(20, 31), (17, 12), (40, 9), (12, 12)]):
        pixels = generator.integers(0, 60, (height, width, 3)).astype(np.uint8)
        Image.fromarray(pixels).save(tmp_path / "pictures" / f"{number}.png")
    words = ["train", "pictures", "--model", "local-pixelcnn", "--crop", "8x8", "--valid-fraction", "0.5", "--features"]
    assert run([*words, "6", "--layers", "1", "--batch-size", "4", "--grids", "0", "--steps", "4", "--out", "run"]) == 0
    assert run(["export", "run", "--valid", "pictures", "--out", "small", "--outputs", "3", "--dtype", "float32"]) == 0
    record = nx.load("small").record
    assert record.evaluated_by == "nextpixel evaluate small pictures --split valid"
    capsys.readouterr()
    assert run(shlex.split(record.evaluated_by)[1:]) == 0
    assert record.validation.removeprefix("pictures: ") in capsys.readouterr().out
    assert record.likelihood.by_sub_pixel and record.likelihood.images == 2


def test_what_the_user_can_mend_is_said(trained, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").write_text("mine")
    for words in (
        ["export", str(trained), "--valid", "digits", "--out", "full"],
        ["export", "nowhere", "--valid", "digits", "--out", "new"],
        ["export", str(trained), "--valid", "nowhere", "--out", "new"],
        ["export", str(trained), "--valid", "digits", "--out", "new", "--dtype", "int8"],
    ):
        assert run(words) == 2
        assert capsys.readouterr().err.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["full"]

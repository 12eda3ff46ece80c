import pytest
import torch
from PIL import Image

import nextpixel as nx
from nextpixel.cli.app import run


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("explained") / "model"
    nx.build("pixelcnn", image_shape=(1, 9, 9), levels=2, features=4, layers=2).save(path)
    return path


def test_one_pixel_by_gradients(folder, tmp_path, capsys):
    out = tmp_path / "pixel.png"
    assert run(["explain", str(folder), "--pixel", "4", "4", "--out", str(out)]) == 0
    told = capsys.readouterr().out
    assert "drawn as number 41 of 81" in told and "of the 40 before it" in told
    assert "out of the architecture's reach" in told and "check" not in told
    assert Image.open(out).format == "PNG"


def test_the_first_pixel_depends_on_nothing(folder, tmp_path, capsys):
    assert run(["explain", str(folder), "--pixel", "0", "0", "--out", str(tmp_path / "first.png")]) == 0
    assert "depends on 0 of the 0 before it" in capsys.readouterr().out


def test_the_order_of_drawing_moves(folder, tmp_path):
    out = tmp_path / "order.gif"
    assert run(["explain", str(folder), "--out", str(out)]) == 0
    assert Image.open(out).n_frames == 81


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--out", "a.txt"], ".png"),
        (["--out", "a.jpg"], "must end with .png, .gif or .webp"),
        (["--out", "a.gif", "--pixel", "1", "1"], "leave out --pixel"),
        (["--out", "a.png", "--pixel", "9", "0"], "9 rows and 9 columns"),
        (["--out", "a.png", "--channel", "1"], "1 channel,"),
    ],
)
def test_what_cannot_be_drawn_is_refused(folder, tmp_path, monkeypatch, capsys, arguments, sentence):
    monkeypatch.chdir(tmp_path)
    assert run(["explain", str(folder), *arguments]) == 2
    assert sentence in capsys.readouterr().err
    assert not list(tmp_path.iterdir())

"""Commands replace what they made themselves and nothing else, and never write into what they read."""

import numpy as np
import pytest
from PIL import Image

from helpers.tiny_models import tiny
from nextpixel.cli.app import run


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    folder = tmp_path_factory.mktemp("model")
    tiny("gated-pixelcnn", levels=2).save(folder / "plain")
    tiny("autoencoder", levels=2).save(folder / "autoencoder")
    return folder


@pytest.fixture
def command(model, tmp_path, monkeypatch):
    """Makes the arguments of a command by the name of what it writes."""
    monkeypatch.setenv("NEXTPIXEL_CACHE", str(tmp_path / "cache"))
    (tmp_path / "data").mkdir()
    for number in range(3):
        pixels = np.random.default_rng(number).integers(0, 2, (3, 4), np.uint8) * 255
        Image.fromarray(pixels).save(tmp_path / "data" / f"{number}.png")
    data, levels = str(tmp_path / "data"), ["--levels", "2"]
    plain, autoencoder = str(model / "plain"), str(model / "autoencoder")

    def make(name, out):
        out = str(out)
        return {
            "a.npx": ["compress", plain, data, "--no-compare", "--out", out],
            "grid.png": ["sample", plain, "--count", "2", "--out", out],
            "grid.webp": ["sample", plain, "--count", "2", "--out", out],
            "grid.jpg": ["sample", plain, "--count", "2", "--out", out],
            "grid.gif": ["sample", plain, "--count", "2", "--out", out],
            "images.npz": ["sample", plain, "--count", "2", "--out", out],
            "trace.gif": ["sample", plain, "--count", "2", "--out", str(tmp_path / "t.png"), "--trace", out],
            "trace.webp": ["sample", plain, "--count", "2", "--out", str(tmp_path / "t.png"), "--trace", out],
            "scores.csv": ["score", plain, data, *levels, "--out", out],
            "scores.jsonl": ["score", plain, data, *levels, "--out", out],
            "summary.png": ["score", plain, data, *levels, "--out", str(tmp_path / "s.csv"), "--summary", out],
            "drawn.png": ["reconstruct", autoencoder, data, *levels, "--count", "1", "--out", out],
            "codes.npz": ["embed", autoencoder, data, *levels, "--out", out],
        }[name]

    return make


WRITTEN = (
    "a.npx", "grid.png", "grid.webp", "grid.jpg", "grid.gif", "images.npz", "trace.gif", "trace.webp", "scores.csv",
    "scores.jsonl", "summary.png", "drawn.png", "codes.npz",
)  # fmt: skip


@pytest.mark.parametrize("name", WRITTEN)
def test_what_others_made_is_not_replaced(command, tmp_path, capsys, name):
    out = tmp_path / "out" / name
    assert run(command(name, out)) == 0
    # Its own, again.
    assert run(command(name, out)) == 0
    kind = Image.registered_extensions().get(out.suffix)
    foreign = [b"", b"precious", b"image,label\na.png,cat\n", b'{"image": "a.png"}\n', b"[" * 100_000]
    for content in foreign:
        out.write_bytes(content)
        assert run(command(name, out)) == 2
        assert f"{out} exists" in capsys.readouterr().err
        assert out.read_bytes() == content
    if kind is not None:
        Image.new("L", (5, 5)).save(out)
    elif out.suffix == ".npz":
        np.savez(out, images=np.zeros((2, 3, 4), np.uint8))
    content = out.read_bytes()
    assert run(command(name, out)) == 2
    assert out.read_bytes() == content
    assert run([*command(name, out), "--force"]) == 0
    assert out.read_bytes() != content


@pytest.mark.parametrize("name", ["a.npx", "scores.csv", "summary.png", "drawn.png", "codes.npz"])
def test_nothing_is_written_into_the_data(command, tmp_path, capsys, name):
    out = tmp_path / "data" / "below" / name
    before = sorted(tmp_path.joinpath("data").rglob("*"))
    assert run([*command(name, out), "--force"]) == 2
    assert "which is read" in capsys.readouterr().err
    assert sorted(tmp_path.joinpath("data").rglob("*")) == before


def test_completions(model, tmp_path, capsys, command):
    arguments = ["complete", str(model / "plain"), str(tmp_path / "data"), "--levels", "2", "--known", "top"]
    out = tmp_path / "completed"
    for _ in range(2):
        assert run([*arguments, "--count", "1", "--out", str(out)]) == 0
    Image.new("L", (5, 5)).save(out / "1-0.png")
    content = (out / "1-0.png").read_bytes()
    assert run([*arguments, "--count", "1", "--out", str(out)]) == 2
    assert "1-0.png exists" in capsys.readouterr().err and (out / "1-0.png").read_bytes() == content
    assert run([*arguments, "--count", "1", "--out", str(out), "--force"]) == 0
    assert run([*arguments, "--out", str(tmp_path / "data" / "completed")]) == 2
    assert command is not None


def test_the_mask_and_the_vectors_are_data_too(model, tmp_path, capsys):
    np.save(tmp_path / "v.npy", np.zeros(4, np.float32))
    out = tmp_path / "v.npy"
    arguments = ["sample", str(model / "plain"), "--vector", str(out), "--out", str(out.with_suffix(".png"))]
    assert run([*arguments, "--trace", str(tmp_path / "v.npy" / "a.gif"), "--force"]) == 2
    assert "which is read" in capsys.readouterr().err

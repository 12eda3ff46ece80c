"""A model that has diverged is refused by whatever computes likelihoods, and a folder is read once."""

from pathlib import Path

import numpy as np
import pytest
import torch

import nextpixel as nx
from helpers.tiny_models import tiny
from nextpixel.cli.app import run


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_are_not_finite(tmp_path, capsys, monkeypatch, value):
    monkeypatch.setenv("NEXTPIXEL_CACHE", str(tmp_path / "cache"))
    model = tiny("gated-pixelcnn")
    tiny("gated-pixelcnn").save(tmp_path / "sound")
    with torch.no_grad():
        next(model.parameters()).view(-1)[0] = value
    model.save(tmp_path / "model")
    np.savez(tmp_path / "images.npz", images=np.zeros((5, 3, 4), np.uint8), levels=3)
    images, broken, sound = (str(tmp_path / name) for name in ("images.npz", "model", "sound"))
    for arguments in (
        ["evaluate", broken, images],
        ["evaluate", broken, images, "--json"],
        ["score", broken, images, "--out", str(tmp_path / "s.csv")],
        ["score", sound, images, "--background", broken, "--by", "ratio", "--out", str(tmp_path / "s.csv")],
        ["compare", sound, broken, images],
        ["check", broken],
        ["explain", broken, "--out", str(tmp_path / "explained.png")],
    ):
        assert run(arguments) == 2
        said = capsys.readouterr()
        assert "not finite" in said.err and not said.out and not (tmp_path / "s.csv").exists()
    with pytest.raises(nx.ModelError, match="not finite"):
        nx.evaluate(model, nx.open_images(images))


def test_finite_weights_whose_probabilities_are_not_numbers(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("NEXTPIXEL_CACHE", str(tmp_path / "cache"))
    model = tiny("gated-pixelcnn")
    with torch.no_grad():
        next(model.parameters()).fill_(1e38)
    model.save(tmp_path / "model")
    np.savez(tmp_path / "images.npz", images=np.random.default_rng(0).integers(0, 3, (9, 3, 4), np.uint8), levels=3)
    images, broken, out = (str(tmp_path / name) for name in ("images.npz", "model", "out.csv"))
    for arguments in (
        ["evaluate", broken, images, "--json"],
        ["score", broken, images, "--out", out],
        ["compare", broken, broken, images],
        ["sample", broken, "--out", str(tmp_path / "out")],
    ):
        assert run(arguments) == 2
        said = capsys.readouterr()
        assert "probabilities that are not numbers" in said.err and not said.out
    assert sorted(path.name for path in tmp_path.iterdir() if path.name != "cache") == ["images.npz", "model"]


def test_each_file_of_a_folder_is_read_once(tmp_path, monkeypatch):
    tiny("gated-pixelcnn").save(tmp_path / "a")
    reads = []
    real = Path.read_bytes

    def replacing(path):
        data = real(path)
        reads.append(path.name)
        # A run beside saves other weights, with a record of their own, right after.
        other = tiny("gated-pixelcnn")
        with torch.no_grad():
            next(other.parameters()).add_(1)
        other.save(tmp_path / "a")
        return data

    monkeypatch.setattr(Path, "read_bytes", replacing)
    nx.load(tmp_path / "a")
    assert reads == ["model.safetensors"]

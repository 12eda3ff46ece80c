"""`nextpixel train --start-from` as a user runs it."""

import numpy as np
import pytest
import torch

import nextpixel as nx
from nextpixel.cli.app import run

QUICK = ["--steps", "3", "--batch-size", "4", "--grids", "0", "--validations", "1"]


@pytest.fixture
def patches(tmp_path):
    """Labelled images of 4 x 4 with 3 levels."""
    generator = np.random.default_rng(0)
    path = tmp_path / "patches.npz"
    images = generator.integers(0, 3, (24, 4, 4)).astype(np.uint8)
    np.savez(path, images=images, labels=np.arange(24) % 2, vectors=generator.random((24, 3)).astype("f"), levels=3)
    return path


@pytest.mark.parametrize("condition", [[], ["--condition", "labels"], ["--condition", "vectors"]])
def test_it_begins_with_the_weights_and_the_model_of_a_run(patches, tmp_path, condition):
    first, second = tmp_path / "first", tmp_path / "second"
    sizes = ["--features", "6", "--layers", "2", "--model", "pixelcnn", "--order", "left"]
    assert run(["train", str(patches), "--out", str(first), *sizes, *condition, *QUICK]) == 0
    words = ["train", str(patches), "--out", str(second), "--start-from", str(first), *QUICK, "--ema", "0"]
    assert run([*words, "--learning-rate", "1e-12"]) == 0
    one, two = nx.load(first), nx.load(second)
    assert (one.family, one.options) == (two.family, two.options)
    for name, weight in one.state_dict().items():
        torch.testing.assert_close(two.state_dict()[name], weight, atol=1e-6, rtol=0)
    assert two.record.begun == f"{first}, {one.record.trained}"
    assert "3 steps" in (second / "README.md").read_text() and "Begun with" in (second / "README.md").read_text()


def test_the_model_is_not_given_twice_and_has_to_fit(patches, tmp_path, capsys):
    assert run(["train", str(patches), "--out", str(tmp_path / "a"), "--features", "6", "--layers", "2", *QUICK]) == 0
    words = ["train", "--start-from", str(tmp_path / "a"), "--out", str(tmp_path / "b"), *QUICK]
    assert run([*words, str(patches), "--layers", "3"]) == 2
    assert "leave out the options of the model" in capsys.readouterr().err
    assert run([*words, "digits"]) == 2
    assert "this model takes 1 x 4 x 4" in capsys.readouterr().err
    assert not (tmp_path / "b").exists()

"""Links to themselves, endless nesting and full devices end in a sentence."""

import os

import numpy as np
import pytest

from helpers.tiny_models import tiny
from nextpixel.cli.app import run

DEEP = "[" * 100_000 + "]" * 100_000
TRAIN = [
    "--model",
    "gated-pixelcnn",
    "--features",
    "4",
    "--layers",
    "1",
    "--steps",
    "2",
    "--batch-size",
    "4",
    "--warmup",
    "1",
]


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.setenv("NEXTPIXEL_CACHE", str(tmp_path / "cache"))
    tiny("gated-pixelcnn").save(tmp_path / "model")
    np.savez(tmp_path / "images.npz", images=np.zeros((40, 3, 4), np.uint8), levels=3)
    return tmp_path


@pytest.mark.skipif(os.name == "nt", reason="links need rights there")
@pytest.mark.parametrize(
    "command",
    [
        "info {}/loop",
        "evaluate {}/model {}/loop",
        "train {}/loop --out {}/run",
        "train {}/images.npz --out {}/loop --steps 1",
        "compress {}/model {}/loop --out {}/a.npx",
        "decompress {}/loop --list",
        "sample {}/model --out {}/loop/x.png",
        "sample {}/model --out {}/loop",
        "prepare {}/images.npz --out {}/loop",
        "prepare {}/loop --out {}/set",
    ],
)
def test_a_link_to_itself(place, capsys, command):
    (place / "loop").symlink_to(place / "loop")
    assert run(command.replace("{}", str(place)).split()) == 2
    assert "loop" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["train.json", "metrics.jsonl", "config.json"])
def test_json_of_endless_nesting_in_a_run(place, capsys, name):
    words = ["train", str(place / "images.npz"), "--out", str(place / "run"), *TRAIN]
    assert run(words) == 0
    (place / "run" / name).write_text(DEEP)
    capsys.readouterr()
    code = run([*words, "--resume"])
    assert "Traceback" not in capsys.readouterr().err
    # The metrics end where they are damaged; the others are needed.
    assert code == (0 if name == "metrics.jsonl" else 2)


def test_a_device_without_room(place, capsys):
    for arguments in (["sample", "--out", "/dev/full"], ["compress", str(place / "images.npz"), "--out", "/dev/full"]):
        assert run([arguments[0], str(place / "model"), *arguments[1:]]) == 2
        assert "/dev/full" in capsys.readouterr().err

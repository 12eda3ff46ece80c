import random

import pytest
import torch

from nextpixel import TrainingError
from nextpixel.training.checkpoint import read_checkpoint, write_checkpoint

STATE = {
    "model": {"weight": torch.arange(6.0)},
    "average": {},
    "optimizer": {"state": {}},
    "step": 3,
    "seconds": 1.5,
    "best": None,
}


@pytest.fixture
def checkpoint(tmp_path):
    path = tmp_path / "checkpoint.pt"
    write_checkpoint(path, path.with_name("previous.pt"), STATE)
    return path


def test_what_is_written_is_read(checkpoint):
    state = read_checkpoint(checkpoint)
    assert state["step"] == 3
    assert torch.equal(state["model"]["weight"], torch.arange(6.0))


def test_any_damage_is_noticed(checkpoint):
    data = checkpoint.read_bytes()
    generator = random.Random(0)
    for _ in range(100):
        position = generator.randrange(len(data))
        flipped = data[position] ^ (1 << generator.randrange(8))
        checkpoint.write_bytes(data[:position] + bytes([flipped]) + data[position + 1 :])
        with pytest.raises(TrainingError, match="damaged"):
            read_checkpoint(checkpoint)
    for length in (0, 10, 90, len(data) - 1):
        checkpoint.write_bytes(data[:length])
        with pytest.raises(TrainingError, match="damaged"):
            read_checkpoint(checkpoint)


def test_a_write_that_fails_keeps_the_old_checkpoint(checkpoint, monkeypatch):
    def full(_descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(TrainingError, match="No space left"):
        write_checkpoint(checkpoint, checkpoint.with_name("previous.pt"), {"step": 4})
    assert read_checkpoint(checkpoint)["step"] == 3
    assert {path.name for path in checkpoint.parent.iterdir()} <= {"checkpoint.pt", "previous.pt"}


CRAFTED = {
    "no table": [1, 2],
    "no step": {name: value for name, value in STATE.items() if name != "step"},
    "something more": STATE | {"more": 1},
    "a step below 0": STATE | {"step": -1},
    "a step in words": STATE | {"step": "3"},
    "a step of half": STATE | {"step": 2.5},
    "a huge step": STATE | {"step": 2**70},
    "seconds without end": STATE | {"seconds": float("inf")},
    "seconds that are none": STATE | {"seconds": float("nan")},
    "a best that is a list": STATE | {"best": [1.0]},
    "weights in a list": STATE | {"model": [torch.zeros(1)]},
    "weights by number": STATE | {"average": {0: torch.zeros(1)}},
}


@pytest.mark.parametrize("name", CRAFTED)
def test_a_checkpoint_of_other_content_is_refused_in_a_sentence(tmp_path, name):
    path = tmp_path / "checkpoint.pt"
    write_checkpoint(path, tmp_path / "previous.pt", CRAFTED[name])
    with pytest.raises(TrainingError, match=r"checkpoint\.pt does not hold the state of a run"):
        read_checkpoint(path)


class Foreign:
    """What PyTorch refuses to load, with the advice to load it unsafely."""


@pytest.mark.parametrize("content", [STATE | {"best": Foreign()}, None])
def test_nobody_is_advised_to_load_unsafely(tmp_path, content):
    path = tmp_path / "checkpoint.pt"
    write_checkpoint(path, tmp_path / "previous.pt", content)
    with pytest.raises(TrainingError) as caught:
        read_checkpoint(path)
    assert "weights_only" not in str(caught.value) and "pickle" not in str(caught.value)


def test_where_there_is_no_checkpoint_yet_none_is_said_to_be_kept(tmp_path, monkeypatch):
    def full(_descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(TrainingError, match="there is no checkpoint yet"):
        write_checkpoint(tmp_path / "checkpoint.pt", tmp_path / "previous.pt", STATE)

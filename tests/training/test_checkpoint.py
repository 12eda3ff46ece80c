import random

import pytest
import torch

from nextpixel import TrainingError
from nextpixel.training.checkpoint import read_checkpoint, write_checkpoint


@pytest.fixture
def checkpoint(tmp_path):
    path = tmp_path / "checkpoint.pt"
    write_checkpoint(path, path.with_name("previous.pt"), {"model": {"weight": torch.arange(6.0)}, "step": 3})
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

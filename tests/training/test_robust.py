"""What can happen to a run besides an interruption: a full or closed disk, damage, a second process, another clock."""

import hashlib
import json
import os
import random
import resource
import subprocess
import sys
import time
from contextlib import contextmanager

import pytest
import torch

import nextpixel as nx
from helpers.training_runs import Notes
from nextpixel.training import batch_size
from nextpixel.training import run as run_module
from nextpixel.training.api import train
from nextpixel.training.checkpoint import read_checkpoint
from nextpixel.training.run_folder import RunFolder
from nextpixel.training.settings import TrainingSettings

SETTINGS = {"steps": 12, "batch_size": 7, "warmup": 3, "grids": 0, "validations": 2, "checkpoint_minutes": 0}


def run(model, path, out, resume=True, progress=None, **changes):
    images = nx.open_images(path)
    training, valid = images.subset(range(50)), images.subset(range(50, 60))
    return train(model, training, out, valid, TrainingSettings(**SETTINGS | changes), resume=resume, progress=progress)


def digest(path):
    return hashlib.sha256((path / "model.safetensors").read_bytes()).hexdigest()


class Killed(BaseException):
    """Nothing after it is done, as after SIGKILL."""


@contextmanager
def killed_at(monkeypatch, step):
    real = run_module.Run._step

    def stepping(self, progress):
        if self.step == step:
            raise Killed
        return real(self, progress)

    with monkeypatch.context() as patch:
        patch.setattr(run_module.Run, "_step", stepping)
        with pytest.raises(Killed):
            yield


@pytest.mark.parametrize("damage", ["flipped", "short", "empty", "missing"])
def test_after_damage_it_goes_on_from_the_checkpoint_before(tiny, shapes, tmp_path, monkeypatch, damage):
    run(tiny(), shapes, tmp_path / "whole")
    parts = tmp_path / "parts"
    with killed_at(monkeypatch, 8):
        run(tiny(), shapes, parts)
    path = parts / "checkpoint.pt"
    data = bytearray(path.read_bytes())
    assert read_checkpoint(path)["step"] == 8
    data[random.Random(0).randrange(len(data))] ^= 4
    path.write_bytes({"flipped": data, "short": data[: len(data) // 2], "empty": b"", "missing": b""}[damage])
    if damage == "missing":
        path.unlink()
    heard = Notes()
    run(tiny(), shapes, parts, progress=heard)
    assert any(str(path) in note and "checkpoint-previous.pt, of step 7" in note for note in heard.notes)
    assert "resumed at step 7" in heard.notes
    assert digest(parts) == digest(tmp_path / "whole")
    # The damaged file has not taken the place of a good one.
    assert [read_checkpoint(parts / f"checkpoint{end}.pt")["step"] for end in ("", "-previous")] == [12, 11]


def test_where_both_checkpoints_are_damaged_the_remedy_is_told(tiny, shapes, tmp_path):
    run(tiny(), shapes, tmp_path / "run")
    for name in ("checkpoint.pt", "checkpoint-previous.pt"):
        (tmp_path / "run" / name).write_bytes(b"rubbish")
    with pytest.raises(nx.TrainingError, match=r"checkpoint-previous\.pt is damaged.*another folder"):
        run(tiny(), shapes, tmp_path / "run", steps=20)
    assert (tmp_path / "run" / "checkpoint.pt").read_bytes() == b"rubbish"


@contextmanager
def no_file_above(size):
    """The system refuses to write more into a file, as a full disk does."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.usefixtures("capsys")
def test_a_full_disk_stops_the_run_which_goes_on_when_there_is_room(tiny, shapes, tmp_path, monkeypatch):
    # What is printed meanwhile goes to memory, not to a file that may not grow either.
    run(tiny(), shapes, tmp_path / "whole")
    parts = tmp_path / "parts"
    with killed_at(monkeypatch, 5):
        run(tiny(), shapes, parts)
    size = (parts / "checkpoint.pt").stat().st_size
    with no_file_above(size // 2), pytest.raises(nx.TrainingError, match=r"checkpoint\.pt cannot be written"):
        run(tiny(), shapes, parts)
    assert read_checkpoint(parts / "checkpoint.pt")["step"] == 5
    assert not [each for each in parts.iterdir() if each.name.startswith(".checkpoint")]
    # Not even the small files: nothing is lost either.
    with no_file_above(0), pytest.raises(nx.NextpixelError, match="cannot be written"):
        run(tiny(), shapes, parts)
    run(tiny(), shapes, parts)
    assert digest(parts) == digest(tmp_path / "whole")


@contextmanager
def as_somebody_else():
    """Without the rights of the administrator, whom no permission stops."""
    if os.geteuid():
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


def test_a_folder_that_may_not_be_written_is_told(tmp_path):
    folder = tmp_path / "run"
    RunFolder(folder).start({})
    for path in (tmp_path, *tmp_path.parents):
        if path.owner() == tmp_path.owner() and path != path.parent:
            path.chmod(path.stat().st_mode | 0o555)
    folder.chmod(0o555)
    with as_somebody_else():
        with (
            pytest.raises(nx.TrainingError, match=r"cannot be written.*choose another folder"),
            RunFolder(folder).held(),
        ):
            pass
        with pytest.raises(nx.TrainingError, match="cannot be written"):
            RunFolder(folder).log({"step": 1})
        with pytest.raises(nx.TrainingError, match="cannot be written"):
            RunFolder(folder).write_checkpoint({"step": 1})
    folder.chmod(0o755)


def test_two_processes_do_not_train_in_one_folder(tiny, shapes, tmp_path):
    holder = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import sys, time; from pathlib import Path; from nextpixel.training.run_folder import RunFolder\n"
            "with RunFolder(Path(sys.argv[1])).held(): print('held', flush=True); time.sleep(600)",
            str(tmp_path / "run"),
        ],
        stdout=subprocess.PIPE,
    )
    try:
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(nx.TrainingError, match=f"being trained in by process {holder.pid} on "):
            run(tiny(), shapes, tmp_path / "run")
    finally:
        holder.kill()
        holder.communicate()
    # The system lets go of the lock of a process that was killed.
    run(tiny(), shapes, tmp_path / "run")


def test_a_failed_run_lets_go_of_its_folder(tiny, shapes, tmp_path):
    with pytest.raises(nx.TrainingError, match="device"):
        run(tiny(), shapes, tmp_path / "run", device="abacus")
    run(tiny(), shapes, tmp_path / "run")


def test_the_clock_of_the_machine_may_jump(tiny, shapes, tmp_path, monkeypatch):
    run(tiny(), shapes, tmp_path / "whole")
    generator = random.Random(3)
    monkeypatch.setattr(time, "time", lambda: generator.uniform(0, 2e9))
    with killed_at(monkeypatch, 6):
        run(tiny(), shapes, tmp_path / "parts")
    run(tiny(), shapes, tmp_path / "parts")
    assert digest(tmp_path / "parts") == digest(tmp_path / "whole")
    assert read_checkpoint(tmp_path / "parts" / "checkpoint.pt")["seconds"] < 600


def test_less_memory_gives_the_same_training(some_family, tiny, shapes, tmp_path):
    settings = {"steps": 6, "precision": "float32"}
    # Noise is drawn for each part of a batch, so without.
    plain, sparing = tiny(some_family, dropout=0.0), tiny(some_family, dropout=0.0)
    whole = run(plain, shapes, tmp_path / "whole", **settings)
    parts = run(sparing, shapes, tmp_path / "parts", **settings, accumulate=3, checkpoint_activations=True)
    assert parts.nats == pytest.approx(whole.nats, rel=1e-5)
    for name, weight in nx.load(tmp_path / "whole").state_dict().items():
        torch.testing.assert_close(nx.load(tmp_path / "parts").state_dict()[name], weight, atol=2e-4, rtol=2e-3)


def test_a_batch_size_is_found_and_kept(tiny, shapes, tmp_path, monkeypatch):
    with killed_at(monkeypatch, 2):
        run(tiny(), shapes, tmp_path / "run", batch_size="auto")
    stored = RunFolder(tmp_path / "run").settings.read_text()
    assert json.loads(stored)["training"]["batch_size"] in (8, 16, 32)
    run(tiny(), shapes, tmp_path / "run", batch_size="auto")
    assert RunFolder(tmp_path / "run").settings.read_text() == stored


@pytest.mark.parametrize(
    ("memory", "seconds", "expected"), [(1e9, lambda n: n, 8), (1e9, lambda _: 1, 32), (900, lambda _: 1, 8)]
)
def test_a_batch_is_as_large_as_memory_and_speed_say(tiny, shapes, monkeypatch, memory, seconds, expected):
    monkeypatch.setattr(batch_size, "_tried", lambda _settings, _model, _images, size: (100 * size, seconds(size)))
    monkeypatch.setattr(batch_size, "_allowed", lambda _: memory)
    settings = TrainingSettings(batch_size="auto")
    images = nx.open_images(shapes)
    found = batch_size.with_batch_size(settings, tiny(), images, None)
    assert found.batch_size == expected
    assert batch_size.with_batch_size(found, tiny(), images, None) is found


def test_trying_a_batch_leaves_no_gradient_and_counts_what_is_kept(tiny, shapes):
    model, images = tiny(), nx.open_images(shapes)
    few, more = (batch_size._tried(TrainingSettings(), model, images, size)[0] for size in (8, 32))
    assert 2 < more / few < 4
    batch_size.with_batch_size(TrainingSettings(batch_size="auto"), model, images, None)
    assert all(parameter.grad is None for parameter in model.parameters())


def test_no_batch_size_is_assumed_where_it_is_not_found_yet():
    with pytest.raises(nx.TrainingError, match="auto"):
        TrainingSettings(batch_size="auto").total_steps(10)
    with pytest.raises(nx.TrainingError, match="accumulate"):
        TrainingSettings(accumulate=0)

"""Runs of training, whole and interrupted."""

import hashlib
import signal

import pytest

import nextpixel as nx
from nextpixel.runtime.progress import Progress
from nextpixel.training import run as run_module
from nextpixel.training.api import train
from nextpixel.training.settings import TrainingSettings
from nextpixel.training.signals import Interrupted

SETTINGS = {"steps": 24, "batch_size": 7, "warmup": 3, "grids": 2, "grid_images": 2, "validations": 3}


def run(model, path, out, resume=False, progress=None, **changes):
    images = nx.open_images(path)
    training, valid = images.subset(range(50)), images.subset(range(50, 60))
    settings = TrainingSettings(**{**SETTINGS, **changes})
    return train(model, training, out, valid, settings, resume=resume, progress=progress)


class Notes(Progress):
    """Keeps what is told."""

    def __init__(self):
        self.notes = []

    def note(self, text):
        self.notes.append(text)


def digest(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def interrupt_at(monkeypatch, step, number=signal.SIGINT):
    """Send a signal in the middle of a step, once."""
    real = run_module.Run._step

    def stepping(self, progress):
        if self.step == step and not self.stop_request.made:
            signal.raise_signal(number)
        return real(self, progress)

    monkeypatch.setattr(run_module.Run, "_step", stepping)


def resume_to_the_same_bits(build, shapes, tmp_path, monkeypatch, **settings):
    """Train a model as a whole and in two parts; returns its likelihood."""
    whole = run(build(), shapes, tmp_path / "whole", **settings)
    with monkeypatch.context() as patch:
        interrupt_at(patch, 17)
        with pytest.raises(Interrupted, match="step 18"):
            run(build(), shapes, tmp_path / "parts", **settings)
    assert run(build(), shapes, tmp_path / "parts", resume=True, **settings) == whole
    assert digest(tmp_path / "whole" / "model.safetensors") == digest(tmp_path / "parts" / "model.safetensors")
    return whole

"""What holds of training on a CPU holds on a GPU."""

import subprocess
import sys

import pytest
import torch

import nextpixel as nx
from helpers.training_runs import resume_to_the_same_bits, run

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU")

GPU = "cuda"


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_every_family_learns_and_resumes_to_the_same_bits(family, precision, tiny, shapes, tmp_path, monkeypatch):
    untrained = nx.evaluate(tiny(family).eval(), nx.open_images(shapes).subset(range(50, 60)))
    settings = {"steps": 40, "learning_rate": 0.01, "device": GPU, "precision": precision}
    trained = resume_to_the_same_bits(lambda: tiny(family), shapes, tmp_path, monkeypatch, **settings)
    assert trained.nats < untrained.nats


@pytest.mark.parametrize("family", ["gated-pixelcnn", "pixelcnn", "autoencoder"])
def test_large_models_resume_to_the_same_bits(family, tiny, shapes, tmp_path, monkeypatch):
    def large():
        return tiny(family, features=96, layers=6)

    resume_to_the_same_bits(large, shapes, tmp_path, monkeypatch, steps=60, batch_size=40, device=GPU)


def test_a_run_on_the_gpu_is_read_without_one(tiny, shapes, tmp_path):
    likelihood = run(tiny(), shapes, tmp_path / "run", device=GPU)
    model = nx.load(tmp_path / "run")
    assert model.device.type == "cpu" and torch.cuda.get_device_name() in model.record.hardware
    assert nx.evaluate(model, nx.open_images(shapes).subset(range(50, 60))).nats == pytest.approx(likelihood.nats)


@pytest.mark.parametrize("launcher", [[], ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "1"]])
def test_the_commands_take_the_gpu_by_themselves(launcher, shapes, tmp_path):
    def nextpixel(*arguments):
        done = subprocess.run(
            [sys.executable, *launcher, "-m", "nextpixel", *map(str, arguments)], capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    out = tmp_path / "run"
    sizes = ("--features", "8", "--layers", "2", "--steps", "30", "--batch-size", "auto")
    nextpixel("train", shapes, "--valid-fraction", "0.2", *sizes, "--out", out)
    assert torch.cuda.get_device_name() in nx.load(out).record.hardware
    assert "causality holds" in nextpixel("check", out)
    nextpixel("evaluate", out, shapes)
    nextpixel("sample", out, "--count", "4", "--out", tmp_path / "samples")
    nextpixel("compress", out, tmp_path / "samples", "--out", tmp_path / "all.npx")
    nextpixel("decompress", out, tmp_path / "all.npx", "--out", tmp_path / "back")
    assert len(list((tmp_path / "back").iterdir())) == 4

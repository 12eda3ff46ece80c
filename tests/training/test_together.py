"""Training in several processes."""

import hashlib
import json
import subprocess
import sys
import time

import pytest

import nextpixel as nx
from helpers.launch import TESTS, finish, start, together
from helpers.together_training import every_family
from nextpixel.training.checkpoint import read_checkpoint
from nextpixel.training.run_folder import read_metrics

WORKER = TESTS / "helpers" / "together_training.py"


def figures(out):
    return [line.get("train_nats") or line["valid_nats"] for line in read_metrics(out / "metrics.jsonl")]


def digest(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_every_family_learns_the_same_in_one_process_and_in_several(shapes, tmp_path):
    every_family(shapes, tmp_path / "one")
    together(2, WORKER, shapes, tmp_path / "two", "every_family", machines=2)
    runs = sorted(each.name for each in (tmp_path / "one").iterdir())
    assert runs == sorted([*nx.models(), "conditional", "dropout"])
    for name in runs:
        one, two = tmp_path / "one" / name, tmp_path / "two" / name
        assert figures(two) == pytest.approx(figures(one), rel=1e-5)
        assert len(figures(one)) == 3
        likelihoods = [nx.load(each).record.likelihood for each in (one, two)]
        assert likelihoods[1].images == 10
        assert likelihoods[1].nats == pytest.approx(likelihoods[0].nats, rel=1e-6)
        assert "2 processes" in nx.load(two).record.trained
        assert (two / "samples" / "step-00000008.png").read_bytes() == (
            one / "samples" / "step-00000008.png"
        ).read_bytes()


def test_three_processes_that_are_interrupted_end_with_the_same_bits(shapes, tmp_path):
    together(3, WORKER, shapes, tmp_path, "interrupted")
    assert digest(tmp_path / "whole" / "model.safetensors") == digest(tmp_path / "parts" / "model.safetensors")


def test_what_several_processes_cannot_train_on_is_refused(shapes, tmp_path):
    together(2, WORKER, shapes, tmp_path, "refused")


def test_a_lost_process_stops_the_others_and_another_number_goes_on(shapes, tmp_path):
    words = "--features 6 --layers 2 --steps 4000 --batch-size 8 --grids 0 --checkpoint-minutes 0 --resume"
    command = ["-m", "nextpixel", "train", shapes, "--out", tmp_path / "run", *words.split()]
    processes = start(2, *command)
    deadline = time.monotonic() + 120
    while not (tmp_path / "run" / "checkpoint.pt").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    processes[1].kill()
    (code, _, errors), _ = finish(processes, timeout=60)
    assert code == 2
    assert "lost at step" in errors and "--resume" in errors
    step = read_checkpoint(tmp_path / "run" / "checkpoint.pt")["step"]
    assert 0 < step < 4000
    words = words.replace("--steps 4000", f"--steps {step + 20}")
    command = ["-m", "nextpixel", "train", shapes, "--out", tmp_path / "run", *words.split()]
    found = finish(start(3, *command))
    assert [code for code, _, _ in found] == [0, 0, 0], found
    assert f"resumed at step {step:,}" in found[0][2] and found[1][2] == ""
    lines = list(read_metrics(tmp_path / "run" / "metrics.jsonl"))
    assert [line["step"] for line in lines] == sorted(line["step"] for line in lines)
    assert lines[-1]["step"] == step + 20


def test_torchrun_starts_them(shapes, tmp_path):
    """The command of the README, with torchrun's own agent."""
    launcher = ["-m", "torch.distributed.run", "--nproc-per-node", "2", "--rdzv-backend", "c10d"]
    words = f"train {shapes} --features 6 --layers 1 --steps 4 --batch-size 8 --grids 0 --out {tmp_path / 'run'}"
    command = [sys.executable, *launcher, "--rdzv-endpoint", "localhost:0", "-m", "nextpixel", *words.split()]
    done = subprocess.run(command, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr
    assert "best weights, all validation images" in done.stdout
    assert done.stdout.count("run folder") == 1
    assert json.loads((tmp_path / "run" / "train.json").read_text())["training"]["batch_size"] == 8

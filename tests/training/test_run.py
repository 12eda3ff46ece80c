import json
import os
import random
import signal
import subprocess
import sys
import time

import pytest
import torch

import nextpixel as nx
from helpers.training_runs import SETTINGS, Notes, digest, interrupt_at, resume_to_the_same_bits, run
from nextpixel.runtime.atomic_files import _MACHINE
from nextpixel.scoring import likelihood as likelihood_module
from nextpixel.training import grids, validation
from nextpixel.training import run as run_module
from nextpixel.training.api import train
from nextpixel.training.checkpoint import read_checkpoint
from nextpixel.training.run_folder import RunFolder, read_metrics, read_settings
from nextpixel.training.settings import TrainingSettings
from nextpixel.training.signals import Interrupted


def test_it_learns_and_leaves_a_model_with_its_figures(tiny, shapes, tmp_path):
    untrained = nx.evaluate(tiny().eval(), nx.open_images(shapes).subset(range(50, 60)))
    out = tmp_path / "run"
    likelihood = run(tiny(), shapes, out, steps=120, learning_rate=0.01, valid_images=4)
    assert likelihood.images == 10
    assert likelihood.nats < 0.8 * untrained.nats
    model = nx.load(out)
    assert model.record.likelihood.nats == likelihood.nats
    assert nx.evaluate(model, nx.open_images(shapes).subset(range(50, 60))) == likelihood
    card = (out / "README.md").read_text()
    assert "120 steps" in card
    assert "shapes.npz" in card
    assert f"{likelihood.nats:.3f}" in card
    lines = list(read_metrics(out / "metrics.jsonl"))
    assert [line["step"] for line in lines if "valid_nats" in line] == [40, 80, 120]
    assert all(line["valid_images"] == 4 for line in lines if "valid_nats" in line)
    assert sorted(path.name for path in (out / "samples").iterdir()) == ["step-00000060.png", "step-00000120.png"]


@pytest.mark.parametrize("options", [{}, {"optimizer": "rmsprop", "ema": 0.0}, {"weight_decay": 0.1, "clip": 0.01}])
def test_interrupted_and_resumed_it_ends_with_the_same_bits(tiny, shapes, tmp_path, monkeypatch, options):
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    run(tiny(), shapes, whole, **options)
    for step in sorted(random.Random(str(options)).sample(range(1, 23), 2)):
        with monkeypatch.context() as patch:
            interrupt_at(patch, step)
            with pytest.raises(Interrupted, match=f"step {step + 1}"):
                run(tiny(), shapes, parts, resume=True, **options)
    run(tiny(), shapes, parts, resume=True, **options)
    assert digest(whole / "model.safetensors") == digest(parts / "model.safetensors")
    states = [read_checkpoint(each / "checkpoint.pt") for each in (whole, parts)]
    for part in ("model", "average"):
        for name, tensor in states[0][part].items():
            assert torch.equal(tensor, states[1][part][name])
    figures = [
        [
            (line["step"], line.get("train_nats"), line.get("valid_nats"))
            for line in read_metrics(each / "metrics.jsonl")
        ]
        for each in (whole, parts)
    ]
    assert [line[::2] for line in figures[0] if line[2]] == [line[::2] for line in figures[1] if line[2]]


def test_every_family_learns_and_resumes_to_the_same_bits(family, tiny, shapes, tmp_path, monkeypatch):
    untrained = nx.evaluate(tiny(family).eval(), nx.open_images(shapes).subset(range(50, 60)))
    settings = {"steps": 40, "learning_rate": 0.01, "grids": 0}
    trained = resume_to_the_same_bits(lambda: tiny(family), shapes, tmp_path, monkeypatch, **settings)
    assert trained.nats < untrained.nats


CONDITIONS = {"kind": nx.Labels(2), "numbers": nx.Vector(2)}


def of_two_kinds(shapes):
    """The images, with labels and vectors that tell dark ones from bright ones."""
    images = nx.open_images(shapes)
    brightness = images[:].float().flatten(1).mean(dim=1)
    labels = (brightness > brightness.median()).long()
    return images.with_condition({"kind": labels, "numbers": torch.stack([100 * brightness, 7 + 0 * brightness], 1)})


def test_a_conditional_run_resumes_to_the_same_bits(some_family, tiny, shapes, tmp_path, monkeypatch):
    images = of_two_kinds(shapes)
    sizes = {"features": 12} if some_family == "multiscale" else {}

    def go(out, resume=False):
        model = tiny(some_family, condition=CONDITIONS, **sizes)
        settings = TrainingSettings(**SETTINGS)
        return train(model, images.subset(range(50)), out, images.subset(range(50, 60)), settings, resume=resume)

    whole = go(tmp_path / "whole")
    with monkeypatch.context() as patch:
        interrupt_at(patch, 11)
        with pytest.raises(Interrupted, match="step 12"):
            go(tmp_path / "parts")
    assert go(tmp_path / "parts", resume=True) == whole
    assert digest(tmp_path / "whole" / "model.safetensors") == digest(tmp_path / "parts" / "model.safetensors")
    model = nx.load(tmp_path / "whole")
    assert nx.evaluate(model, images.subset(range(50, 60))) == whole
    # Vectors are standardised by those of the training images.
    given = model.conditioning(images.subset(range(50)).condition, torch.float32).vector[:, 2:]
    assert given.mean(0).tolist() == pytest.approx([0, 0], abs=1e-4)
    assert given.std(0, correction=0).tolist() == pytest.approx([1, 0], abs=1e-4)


def test_a_condition_helps_where_it_tells_something(tiny, shapes, tmp_path):
    images = of_two_kinds(shapes)
    nats = []
    for name, condition in (("with", CONDITIONS), ("without", None)):
        used = images if condition else images.with_condition(None)
        settings = TrainingSettings(**SETTINGS | {"steps": 150, "learning_rate": 0.01, "grids": 0})
        model = tiny(condition=condition, dropout=0.0)
        nats.append(train(model, used.subset(range(50)), tmp_path / name, used.subset(range(50)), settings).nats)
    assert nats[0] < nats[1] - 0.2


def test_a_run_is_not_resumed_with_other_conditions(tiny, shapes, tmp_path):
    images = of_two_kinds(shapes)
    settings = TrainingSettings(**SETTINGS)
    train(tiny(condition=CONDITIONS), images, tmp_path / "run", images, settings)
    other = images.with_condition({**images.condition, "kind": 1 - images.condition["kind"]})
    with pytest.raises(nx.TrainingError, match="training data"):
        train(tiny(condition=CONDITIONS), other, tmp_path / "run", images, settings, resume=True)
    with pytest.raises(nx.TrainingError, match="condition"):
        train(tiny(), images.with_condition(None), tmp_path / "run", images.with_condition(None), settings, resume=True)


def test_the_companion_of_an_autoencoder_learns_beside_it(tiny, shapes, tmp_path):
    images = nx.open_images(shapes)
    model = tiny("autoencoder", code_size=4, dropout=0.0)
    before = float(model.companion_loss(images[:]))
    run(model, shapes, tmp_path / "run", steps=150, learning_rate=0.01)
    assert float(nx.load(tmp_path / "run").companion_loss(images[:])) < 0.6 * before


def test_dynamic_binarisation_resumes_to_the_same_bits_and_says_what_it_is(tmp_path, monkeypatch):
    images = nx.open_images("digits", binarize="dynamic").subset(range(40))

    def go(out, resume=False):
        torch.manual_seed(0)
        model = nx.build("gated-pixelcnn", image_shape=(1, 8, 8), levels=2, features=4, layers=1)
        train(model, images, out, images, TrainingSettings(steps=8, batch_size=5, grids=0), resume=resume)

    go(tmp_path / "whole")
    with monkeypatch.context() as patch:
        interrupt_at(patch, 4)
        with pytest.raises(Interrupted):
            go(tmp_path / "parts")
    go(tmp_path / "parts", resume=True)
    assert digest(tmp_path / "whole" / "model.safetensors") == digest(tmp_path / "parts" / "model.safetensors")
    assert "dynamic" in nx.load(tmp_path / "whole").record.binarisation
    assert "dynamic" in (tmp_path / "whole" / "README.md").read_text()


def test_killed_at_any_moment_it_resumes_to_the_same_bits(shapes, tmp_path):
    """The process is really killed, with SIGKILL, at random moments, while it checkpoints after every step."""

    def command(out):
        words = (
            f"--features 6 --layers 2 --steps 40 --batch-size 7 --grids 0 --checkpoint-minutes 0 --out {out} --resume"
        )
        return [sys.executable, "-m", "nextpixel", "train", str(shapes), *words.split()]

    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    subprocess.run(command(whole), check=True, env=environment, capture_output=True)
    generator = random.Random(1)
    killed = 0
    for _ in range(2):
        process = subprocess.Popen(command(parts), env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        deadline = time.monotonic() + 120
        before = digest(parts / "checkpoint.pt") if (parts / "checkpoint.pt").exists() else None
        while process.poll() is None and time.monotonic() < deadline:
            path = parts / "checkpoint.pt"
            if path.exists() and digest(path) != before:
                break
            time.sleep(0.005)
        time.sleep(generator.random() * 0.1)
        process.kill()
        process.communicate()
        killed += process.returncode == -signal.SIGKILL
    assert killed >= 1
    subprocess.run(command(parts), check=True, env=environment, capture_output=True)
    assert digest(whole / "model.safetensors") == digest(parts / "model.safetensors")


def test_a_loss_that_is_not_finite_stops_with_the_step_and_keeps_the_last_checkpoint(tiny, shapes, tmp_path):
    with pytest.raises(nx.TrainingError, match=r"step \d+.*learning rate"):
        run(tiny(), shapes, tmp_path / "run", learning_rate=1e20, warmup=0, clip=1e30, checkpoint_minutes=0)
    state = read_checkpoint(tmp_path / "run" / "checkpoint.pt")
    assert all(torch.isfinite(tensor).all() for tensor in state["model"].values())


def test_a_folder_with_a_run_is_not_overwritten(tiny, shapes, tmp_path):
    run(tiny(), shapes, tmp_path / "run")
    before = digest(tmp_path / "run" / "model.safetensors")
    with pytest.raises(nx.TrainingError, match="--resume"):
        run(tiny(), shapes, tmp_path / "run", seed=1)
    assert digest(tmp_path / "run" / "model.safetensors") == before


@pytest.mark.parametrize(("change", "named"), [({"batch_size": 8}, "batch_size 7"), ({"seed": 5}, "seed 0")])
def test_a_run_is_not_resumed_with_other_settings(tiny, shapes, tmp_path, change, named):
    run(tiny(), shapes, tmp_path / "run")
    with pytest.raises(nx.TrainingError, match=named):
        run(tiny(), shapes, tmp_path / "run", resume=True, **change)


def test_a_run_is_not_resumed_with_another_model_or_other_images(tiny, shapes, tmp_path):
    run(tiny(), shapes, tmp_path / "run")
    with pytest.raises(nx.TrainingError, match="options"):
        run(tiny(features=8), shapes, tmp_path / "run", resume=True)
    images = nx.open_images(shapes)
    with pytest.raises(nx.TrainingError, match="training data"):
        settings = TrainingSettings(**SETTINGS)
        train(tiny(), images.subset(range(49)), tmp_path / "run", images.subset(range(50, 60)), settings, resume=True)


def test_a_run_can_be_made_longer(tiny, shapes, tmp_path):
    run(tiny(), shapes, tmp_path / "run")
    run(tiny(), shapes, tmp_path / "run", resume=True, steps=30)
    assert read_settings(tmp_path / "run")["steps"] == 30
    assert read_checkpoint(tmp_path / "run" / "checkpoint.pt")["step"] == 30


def test_a_model_folder_is_not_taken_for_a_run(tiny, shapes, tmp_path):
    tiny().save(tmp_path / "model")
    with pytest.raises(nx.TrainingError, match="files that are not"):
        run(tiny(), shapes, tmp_path / "model")


def test_a_damaged_checkpoint_is_refused(tiny, shapes, tmp_path):
    run(tiny(), shapes, tmp_path / "run")
    path = tmp_path / "run" / "checkpoint.pt"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(nx.TrainingError, match="damaged"):
        run(tiny(), shapes, tmp_path / "run", resume=True, steps=30)


def test_by_the_clock_it_ends_in_time_and_resumes(tiny, shapes, tmp_path, monkeypatch):
    clock = [0.0]
    monkeypatch.setattr(run_module.time, "monotonic", lambda: clock[0])
    real = run_module.Run._step

    def stepping(self, progress):
        clock[0] += 1.0
        return real(self, progress)

    monkeypatch.setattr(run_module.Run, "_step", stepping)
    run(tiny(), shapes, tmp_path / "run", steps=None, minutes=0.5)
    state = read_checkpoint(tmp_path / "run" / "checkpoint.pt")
    assert state["step"] == 30
    assert state["optimizer"]["param_groups"][0]["lr"] < 1e-5
    run(tiny(), shapes, tmp_path / "run", resume=True, steps=None, minutes=1)
    assert read_checkpoint(tmp_path / "run" / "checkpoint.pt")["step"] == 60


def test_a_first_step_that_compiles_does_not_take_the_warm_up_away(tiny, shapes, tmp_path, monkeypatch):
    clock = [0.0]
    monkeypatch.setattr(run_module.time, "monotonic", lambda: clock[0])
    real = run_module.Run._step

    def stepping(self, progress):
        clock[0] += 60.0 if self.step == 0 else 1.0
        return real(self, progress)

    monkeypatch.setattr(run_module.Run, "_step", stepping)
    run(tiny(), shapes, tmp_path / "run", steps=None, minutes=5, warmup=200, learning_rate=0.01)
    metrics = read_metrics(tmp_path / "run" / "metrics.jsonl")
    rates = {line["step"]: line["learning_rate"] for line in metrics if "train_nats" in line}
    # A fifth of the time was gone after one step, and the warm-up lasts for a tenth of some 240 steps.
    assert 0.002 < rates[10] < 0.004 < 0.007 < max(rates.values())


def test_the_last_evaluation_is_within_the_minutes(tiny, shapes, tmp_path, monkeypatch):
    """Two seconds for each image of validation, of which there are ten at the end, four of them twice."""
    clock = [0.0]
    monkeypatch.setattr(run_module.time, "monotonic", lambda: clock[0])
    real_step, real_log_probs = run_module.Run._step, likelihood_module.log_probs

    def stepping(self, progress):
        clock[0] += 1.0
        return real_step(self, progress)

    def evaluating(model, images, *arguments, **options):
        clock[0] += 2.0 * len(images)
        return real_log_probs(model, images, *arguments, **options)

    monkeypatch.setattr(run_module.Run, "_step", stepping)
    for module in (likelihood_module, validation):
        monkeypatch.setattr(module, "log_probs", evaluating)
    run(tiny(), shapes, tmp_path / "run", steps=None, minutes=5)
    assert 5 * 60 * 0.9 < clock[0] <= 5 * 60 + 3


def test_bfloat16_learns_and_its_weights_stay_float32(tiny, shapes, tmp_path):
    likelihood = run(tiny(), shapes, tmp_path / "run", steps=120, learning_rate=0.01, precision="bfloat16")
    assert likelihood.bits_per_dim < 1.3
    assert all(tensor.dtype == torch.float32 for tensor in nx.load(tmp_path / "run").state_dict().values())


def test_a_grid_that_takes_too_long_is_left_out_and_said(tiny, shapes, tmp_path, monkeypatch):
    for name in ("MOST_SECONDS", "MOST_PART", "PATIENCE"):
        monkeypatch.setattr(grids, name, 0.0)
    heard = Notes()
    run(tiny(), shapes, tmp_path / "run", progress=heard)
    assert sum("no sample grid" in note and "nextpixel sample" in note for note in heard.notes) == 2
    assert list((tmp_path / "run" / "samples").iterdir()) == []


def test_metrics_cut_short_by_a_crash_are_read_up_to_there(tmp_path):
    path = tmp_path / "metrics.jsonl"
    path.write_text(json.dumps({"step": 1}) + "\n" + '{"step": 2, "tra')
    assert list(read_metrics(path)) == [{"step": 1}]
    assert list(read_metrics(tmp_path / "none")) == []


def test_an_unwritable_folder_is_said_at_once(tiny, shapes, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(nx.TrainingError, match="cannot be written"):
        run(tiny(), shapes, tmp_path / "file" / "run")
    assert not RunFolder(tmp_path / "file").checkpoint.exists()


def test_an_unknown_device_is_refused(tiny, shapes, tmp_path):
    with pytest.raises(nx.TrainingError, match="--device cpu"):
        run(tiny(), shapes, tmp_path / "run", device="abacus")
    assert not (tmp_path / "run").exists()
    (tmp_path / "empty").mkdir()
    with pytest.raises(nx.TrainingError, match="--device cpu"):
        run(tiny(), shapes, tmp_path / "empty", device="abacus")
    assert list((tmp_path / "empty").iterdir()) == []


@pytest.mark.parametrize("damage", [b'{"a": 1}\n', b"[1]\n", b"\xff\xfe\n"])
def test_damaged_metrics_do_not_stop_a_run(tiny, shapes, tmp_path, damage):
    run(tiny(), shapes, tmp_path / "run")
    with (tmp_path / "run" / "metrics.jsonl").open("ab") as file:
        file.write(damage)
    run(tiny(), shapes, tmp_path / "run", resume=True, steps=30)


def test_settings_that_are_not_a_runs_are_refused(tiny, shapes, tmp_path):
    run(tiny(), shapes, tmp_path / "run")
    (tmp_path / "run" / "train.json").write_text("[]")
    with pytest.raises(nx.TrainingError, match=r"train\.json"):
        run(tiny(), shapes, tmp_path / "run", resume=True)


def test_lost_best_weights_are_taken_from_the_checkpoint(tiny, shapes, tmp_path):
    run(tiny(), shapes, tmp_path / "run")
    (tmp_path / "run" / "model.safetensors").unlink()
    run(tiny(), shapes, tmp_path / "run", resume=True)
    assert "shapes.npz" in nx.load(tmp_path / "run").record.data
    assert nx.load(tmp_path / "run").record.likelihood.images == 10


def test_parts_of_files_that_a_kill_left_are_removed(tiny, shapes, tmp_path):
    run(tiny(), shapes, tmp_path / "run")
    left = tmp_path / "run" / f".checkpoint.pt.{_MACHINE}-999999999-0123abcd.part"
    left.write_bytes(b"half")
    run(tiny(), shapes, tmp_path / "run", resume=True)
    assert not left.exists()

import numpy as np
import pytest
import torch

import nextpixel as nx
from helpers.training_runs import SETTINGS, Notes, interrupt_at
from nextpixel.runtime.progress import SILENT
from nextpixel.training.signals import Interrupted

SHORT = nx.TrainingSettings(**SETTINGS | {"steps": 6, "grids": 0})


def test_without_validation_images_a_part_is_held_out_and_found_again(tiny, shapes, tmp_path):
    images = nx.open_images(shapes)
    likelihood = nx.train(tiny(), images, tmp_path / "run", settings=SHORT, valid_fraction=0.2, progress=SILENT)
    model = nx.load(tmp_path / "run")
    assert likelihood.images == 12
    assert nx.evaluate(model, images.hold_out(0.2)[1]) == likelihood
    assert (model.record.held_out.fraction, model.record.held_out.fingerprint) == (0.2, images.fingerprint)


def test_arrays_are_trained_on_as_they_are(tiny, shapes, tmp_path):
    images = nx.open_images(shapes)
    results = [
        nx.train(tiny(), given, tmp_path / name, images[50:], SHORT, progress=SILENT)
        for name, given in (("set", images.subset(range(50))), ("tensor", images[:50]), ("array", images[:50].numpy()))
    ]
    assert results[0] == results[1] == results[2]


@pytest.mark.parametrize(
    "images",
    ["folder", np.zeros((20, 1, 5, 4)), np.full((20, 1, 5, 4), 3, np.uint8), np.zeros((20, 1, 4, 4), np.uint8), None],
    ids=["a name", "floats", "too many levels", "another shape", "nothing"],
)
def test_what_cannot_be_trained_on_is_refused_before_a_folder_is_made(tiny, tmp_path, images):
    with pytest.raises(nx.InputError):
        nx.train(tiny(), images, tmp_path / "run", settings=SHORT, progress=SILENT)
    assert not (tmp_path / "run").exists()


def test_a_trained_model_begins_anew_from_its_weights_and_says_so(tiny, shapes, tmp_path):
    images = nx.open_images(shapes)
    nx.train(tiny(), images, tmp_path / "one", settings=SHORT, progress=SILENT)
    model = nx.load(tmp_path / "one")
    weights = {name: weight.clone() for name, weight in model.state_dict().items()}
    still = nx.TrainingSettings(**SETTINGS | {"steps": 1, "grids": 0, "learning_rate": 1e-12, "ema": 0.0})
    nx.train(model, images, tmp_path / "two", settings=still, progress=SILENT)
    again = nx.load(tmp_path / "two")
    assert again.record.begun.startswith("a trained model, 6 steps")
    for name, weight in weights.items():
        torch.testing.assert_close(again.state_dict()[name], weight, atol=1e-6, rtol=0)


def test_an_interrupted_run_is_no_new_beginning(tiny, shapes, tmp_path, monkeypatch):
    images, model = nx.open_images(shapes), tiny()
    with monkeypatch.context() as patch:
        interrupt_at(patch, 3)
        with pytest.raises(Interrupted):
            nx.train(model, images, tmp_path / "run", settings=SHORT, progress=SILENT)
    nx.train(model, images, tmp_path / "run", settings=SHORT, resume=True, progress=SILENT)
    assert nx.load(tmp_path / "run").record.begun is None


def test_who_learned_nothing_is_told_and_why(tiny, shapes, tmp_path):
    heard = Notes()
    settings = nx.TrainingSettings(steps=1, learning_rate=1e-9, grids=0)
    nx.train(tiny(), nx.open_images(shapes), tmp_path / "run", settings=settings, progress=heard)
    (told,) = [note for note in heard.notes if "nothing was learned" in note]
    assert "few steps (1)" in told and "fewer --features" in told and "1.58" in told


def test_a_run_by_the_clock_keeps_time_for_its_last_evaluation(tiny, shapes, tmp_path, monkeypatch):
    clock = [0.0]
    monkeypatch.setattr("time.monotonic", lambda: clock[0])
    from nextpixel.training import run, validation

    real_step, real_log_probs, real_evaluate = run.Run._step, validation.log_probs, validation.evaluate

    def stepping(self, progress):
        clock[0] += 1.0
        return real_step(self, progress)

    def spending(real):
        def spend(model, images, **options):
            clock[0] += 0.5 * len(images)
            return real(model, images, **options)

        return spend

    monkeypatch.setattr(run.Run, "_step", stepping)
    monkeypatch.setattr(validation, "log_probs", spending(real_log_probs))
    monkeypatch.setattr(validation, "evaluate", spending(real_evaluate))
    images = nx.open_images(shapes)
    settings = nx.TrainingSettings(minutes=2, batch_size=7, grids=0, validations=4, valid_images=5)
    nx.train(
        tiny(), images.subset(range(40)), tmp_path / "run", images.subset(range(40, 60)), settings, progress=SILENT
    )
    assert 118 <= clock[0] <= 122

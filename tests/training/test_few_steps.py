import pytest

import nextpixel as nx
from helpers.training_runs import Notes, interrupt_at
from nextpixel.training.few_steps import FEW_STEPS, few_steps
from nextpixel.training.signals import Interrupted


@pytest.mark.parametrize(
    ("settings", "images", "told"),
    [
        ({"epochs": 1}, 19, "is a single step, as a step takes 64 images and there are 19"),
        ({}, 19, "has only 3 steps"),
        ({"batch_size": 1}, 19, "has only 190 steps, as a step takes 1 image and there are 19"),
        ({"batch_size": 1}, 20, None),
        ({}, 64 * FEW_STEPS // 10, None),
        ({"steps": 1}, 19, None),
        ({"minutes": 1}, 19, None),
    ],
)
def test_only_epochs_that_are_few_steps_are_told_of(settings, images, told):
    sentence = few_steps(nx.TrainingSettings(**settings), images)
    assert (sentence is None) if told is None else (told in sentence and "--steps 1000" in sentence)


@pytest.mark.parametrize("batch_size", [1, 2])
def test_a_smaller_batch_is_proposed_where_there_is_one(batch_size):
    sentence = few_steps(nx.TrainingSettings(batch_size=batch_size), 19)
    assert ("a smaller --batch-size" in sentence) == (batch_size > 1)


def test_it_is_told_before_the_first_step_and_not_again_when_the_run_goes_on(tiny, shapes, tmp_path, monkeypatch):
    images, settings = nx.open_images(shapes), nx.TrainingSettings(epochs=2, batch_size=20, grids=0, validations=1)
    heard, later = Notes(), Notes()
    with monkeypatch.context() as patch, pytest.raises(Interrupted):
        interrupt_at(patch, 0)
        nx.train(tiny(), images, tmp_path / "run", settings=settings, progress=heard)
    nx.train(tiny(), images, tmp_path / "run", settings=settings, resume=True, progress=later)
    assert [note for note in heard.notes if "has only 6 steps" in note]
    assert not [note for note in later.notes if "has only" in note]

import pytest

from nextpixel import TrainingError
from nextpixel.training.settings import TrainingSettings


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"steps": 3, "minutes": 1}, "minutes"),
        ({"steps": 0}, "steps"),
        ({"epochs": -1}, "epochs"),
        ({"minutes": float("nan")}, "minutes"),
        ({"batch_size": 0}, "batch_size"),
        ({"learning_rate": float("inf")}, "learning_rate"),
        ({"clip": 0}, "clip"),
        ({"warmup": -1}, "warmup"),
        ({"ema": 1.0}, "ema"),
        ({"validations": 0}, "validations"),
        ({"seed": -1}, "seed"),
    ],
)
def test_settings_out_of_range_are_refused_by_name(options, named):
    with pytest.raises(TrainingError, match=named):
        TrainingSettings(**options)


def test_length_is_given_by_steps_epochs_or_the_clock():
    assert TrainingSettings(steps=7).total_steps(100) == 7
    assert TrainingSettings(epochs=2.5, batch_size=64).total_steps(100) == 4
    assert TrainingSettings(batch_size=10).total_steps(100) == 100
    assert TrainingSettings(minutes=1).total_steps(100) is None

import pytest

from nextpixel.training.meter import Meter, Pace


def test_the_mean_is_over_images_not_steps():
    meter = Meter()
    meter.add(1, 10.0)
    meter.add(3, 2.0)
    assert meter.nats == 4.0


def test_the_first_step_says_nothing_of_the_pace():
    pace = Pace()
    pace.add(30.0)
    assert pace.seconds == 0
    pace.add(0.5)
    assert pace.seconds == 0.5
    for _ in range(100):
        pace.add(2.0)
    assert pace.seconds == pytest.approx(2.0, rel=0.01)

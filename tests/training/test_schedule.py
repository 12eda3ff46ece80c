import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nextpixel.training.schedule import learning_rate, step_indices, step_seed
from nextpixel.training.settings import TrainingSettings


@given(st.integers(0, 5), st.integers(1, 40), st.integers(1, 30), st.integers(1, 4))
def test_every_image_is_used_once_an_epoch_whatever_the_batch_size(seed, count, batch_size, epochs):
    steps = -(-epochs * count // batch_size)
    row = np.concatenate([step_indices(seed, step, batch_size, count) for step in range(steps)])[: epochs * count]
    for epoch in row.reshape(epochs, count):
        assert sorted(epoch) == list(range(count))


@given(st.integers(1, 40), st.integers(1, 12), st.integers(1, 12))
def test_the_row_of_images_does_not_depend_on_the_batch_size(count, one, other):
    rows = [
        np.concatenate([step_indices(3, step, size, count) for step in range(-(-120 // size))])[:120]
        for size in (one, other)
    ]
    assert np.array_equal(*rows)


def test_epochs_and_seeds_have_different_orders():
    orders = {tuple(step_indices(seed, step, 50, 50)) for seed in range(3) for step in range(3)}
    assert len(orders) == 9


def test_noise_differs_from_step_to_step_and_seed_to_seed():
    seeds = {step_seed(seed, step) for seed in range(10) for step in range(100)}
    assert len(seeds) == 1000
    assert all(0 <= seed < 2**63 for seed in seeds)


@given(st.integers(0, 1000), st.floats(0, 2))
def test_learning_rate_stays_between_zero_and_its_full_value(step, progress):
    settings = TrainingSettings(learning_rate=0.01, warmup=50)
    assert 0 <= learning_rate(settings, step, progress) <= 0.01


def test_learning_rate_rises_then_falls_to_zero():
    settings = TrainingSettings(learning_rate=0.01, warmup=9)
    assert np.isclose(learning_rate(settings, 0, 0), 0.001)
    assert np.isclose(learning_rate(settings, 9, 0), 0.01)
    assert np.isclose(learning_rate(settings, 500, 0.5), 0.005)
    assert learning_rate(settings, 1000, 1.0) == 0


def test_short_runs_warm_up_for_a_tenth_of_them_only():
    settings = TrainingSettings(learning_rate=0.01, warmup=200)
    assert learning_rate(settings, 0, 0.0) < 0.0001
    assert learning_rate(settings, 1, 0.05) == pytest.approx(0.005, rel=0.01)
    assert learning_rate(settings, 5, 0.5) == pytest.approx(0.005)


def test_seconds_in_which_no_steps_are_taken_do_not_end_the_warm_up():
    settings = TrainingSettings(learning_rate=0.01, warmup=200)
    assert learning_rate(settings, 1, 0.2, 0.0001) < 0.0002
    assert learning_rate(settings, 1, 0.2) > 0.008

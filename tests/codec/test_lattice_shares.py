"""Shares of colours on a lattice: each level has one, compiled as in NumPy, and nearly that of both together."""

import numpy as np
import pytest

from nextpixel.codec import lattice_shares
from nextpixel.codec.lattice_shares import sums_below, weighted_starts
from nextpixel.codec.local_twin import Prediction
from nextpixel.codec.native import lattice_kernel
from nextpixel.coding.colour_lattices import LATTICES, MOST_EXPONENT, OnLattice, on_lattice
from nextpixel.coding.logistic_shares import LARGEST_SCALE, SMALLEST_SCALE, inverse_scales, starts
from nextpixel.coding.rans import TOTAL

LEVELS = np.arange(256)


def predictions(count, *, components=3, seed=0, steps=(SMALLEST_SCALE, LARGEST_SCALE), far=200):
    """Random mixtures, wide and narrow, also with means beyond the levels."""
    random = np.random.default_rng(seed)
    shape = (3, count, components)
    weights = random.integers(1, 1000, shape)
    weights = weights * (TOTAL - 256) // weights.sum(axis=-1, keepdims=True)
    weights[..., 0] += TOTAL - 256 - weights.sum(axis=-1)
    return Prediction(
        weights,
        random.integers(-far * 64, (256 + far) * 64, shape),
        inverse_scales()[random.integers(*steps, shape) - SMALLEST_SCALE],
        random.integers(-600, 600, shape),
        random.integers(0, 6 * 256, (3, count)),
    )


def tables(prediction, earlier, on):
    sums = sums_below(prediction, earlier, on)
    return weighted_starts(sums, np.tile(np.arange(257), (len(sums), 1)))


@pytest.mark.parametrize("lattice", LATTICES)
@pytest.mark.parametrize("exponent", [0, 7, MOST_EXPONENT])
def test_every_level_has_a_share_and_numpy_has_the_same(monkeypatch, lattice, exponent):
    pytest.importorskip("numba")
    assert lattice_kernel() is not None
    on, prediction = OnLattice(lattice, exponent), predictions(700, seed=exponent)
    earlier = list(np.random.default_rng(3).integers(0, 256, (2, 700)))
    for count in (1, 2):
        found = tables(prediction, earlier[:count], on)
        assert (found[:, 0] == 0).all() and (found[:, -1] == TOTAL).all() and (np.diff(found) >= 1).all()
        with monkeypatch.context() as patch:
            patch.setattr(lattice_shares, "lattice_kernel", lambda: None)
            assert np.array_equal(tables(prediction, earlier[:count], on), found)


def test_greens_without_any_blue_of_the_lattice_have_what_the_model_says(monkeypatch):
    """As where all blues are beyond the levels, so that none is about their mean."""
    prediction = predictions(5, steps=(0, 60), far=0)
    beyond = prediction.means.copy()
    beyond[2] = 1000 * 64
    prediction = prediction._replace(means=beyond, coefficients=np.zeros_like(prediction.coefficients))
    red = np.full(5, 100)
    plain = starts(prediction.mixture(1, [red]), np.tile(np.arange(257), (5, 1)), 256)
    for compiled in (lattice_kernel, lambda: None):
        monkeypatch.setattr(lattice_shares, "lattice_kernel", compiled)
        assert np.abs(tables(prediction, [red], OnLattice(1, 9)) - plain).max() <= 256


def test_blue_is_weighted_where_the_colour_is_of_the_lattice():
    prediction = predictions(200, steps=(0, 60), far=0)
    red, green = np.random.default_rng(4).integers(0, 256, (2, 200))
    plain = np.diff(starts(prediction.mixture(2, [red, green]), np.tile(np.arange(257), (200, 1)), 256))
    weighted = plain * (1.0 + 2**6 * on_lattice(1, red[:, None], green[:, None], LEVELS))
    found = np.diff(tables(prediction, [red, green], OnLattice(1, 6)))
    assert found / TOTAL == pytest.approx(weighted / weighted.sum(axis=1, keepdims=True), abs=2e-4)


def test_green_has_nearly_the_shares_that_green_and_blue_have_together():
    on, count = OnLattice(2, 8), 40
    prediction = predictions(count, steps=(20, 50), far=0, seed=5)._replace(
        coefficients=np.zeros((3, count, 3), np.int64)
    )
    red = np.full(count, 130)
    greens = np.diff(starts(prediction.mixture(1, [red]), np.tile(np.arange(257), (count, 1)), 256))
    # Components near each other, so that all blues are about their mean.
    means = prediction.means.copy()
    means[2] = 128 * 64 + means[2] % 256
    prediction = prediction._replace(means=means)
    blues = np.diff(starts(prediction.mixture(2, [red, red]), np.tile(np.arange(257), (count, 1)), 256))
    allowed = on_lattice(2, np.int64(130), LEVELS[:, None], LEVELS)
    together = greens * (1 + 2**8 * (blues @ allowed.T) / TOTAL)
    found = np.diff(tables(prediction, [red], on)) / TOTAL
    expected = together / together.sum(axis=1, keepdims=True)
    gained = (expected * np.log2(found / (greens / TOTAL))).sum(axis=1)
    possible = (expected * np.log2(expected / (greens / TOTAL))).sum(axis=1)
    assert possible.mean() > 0.2 and gained.mean() > 0.95 * possible.mean()

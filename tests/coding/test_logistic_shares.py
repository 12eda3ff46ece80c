import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers.tiny_models import many
from nextpixel.coding.logistic_shares import (
    LARGEST_SCALE,
    LEVEL_BITS,
    SCALE_STEPS,
    SMALLEST_SCALE,
    Mixture,
    inverse_scales,
    logistic_table,
    search,
    starts,
)
from nextpixel.coding.rans import TOTAL


def mixtures(seed, count, components, levels):
    """Any mixtures: also sharp ones, far outside the levels, and of one component only."""
    random = np.random.default_rng(seed)
    weights = random.dirichlet(np.full(components, 0.3), count)
    weights = np.floor(weights * (TOTAL - levels)).astype(np.int64)
    weights[:, 0] += TOTAL - levels - weights.sum(axis=1)
    means = random.integers(-levels, 2 * levels, (count, components)) << LEVEL_BITS
    return Mixture(weights, means, inverse_scales()[random.integers(0, len(inverse_scales()), (count, components))])


@many
@given(seed=st.integers(0, 10**6), components=st.integers(1, 6), levels=st.sampled_from([2, 3, 17, 256]))
def test_every_level_has_a_share_and_they_fill_the_total(seed, components, levels):
    mixture = mixtures(seed, 5, components, levels)
    ends = starts(mixture, np.tile(np.arange(levels + 1), (5, 1)), levels)
    assert (ends[:, 0] == 0).all()
    assert (ends[:, -1] == TOTAL).all()
    assert (np.diff(ends) >= 1).all()


@many
@given(seed=st.integers(0, 10**6), levels=st.sampled_from([2, 3, 17, 256]))
def test_searching_undoes_it(seed, levels):
    count = 20
    mixture = mixtures(seed, count, 5, levels)
    slots = np.random.default_rng(seed).integers(0, TOTAL, count)
    slots[:2] = 0, TOTAL - 1
    found = search(mixture, slots, levels)
    assert ((found >= 0) & (found < levels)).all()
    assert (starts(mixture, found, levels) <= slots).all()
    assert (slots < starts(mixture, found + 1, levels)).all()


def test_shares_are_those_of_the_float_distribution():
    mean, scale = 100.25, 3.0
    step = round(SCALE_STEPS * np.log(scale)) - SMALLEST_SCALE
    mixture = Mixture(np.array([[TOTAL - 256]]), np.array([[round(mean * 2**LEVEL_BITS)]]), inverse_scales()[[[step]]])
    ends = starts(mixture, np.arange(257)[None], 256)[0]
    scale = np.exp((step + SMALLEST_SCALE) / SCALE_STEPS)
    expected = np.diff(1 / (1 + np.exp(-(np.arange(257) - 0.5 - mean) / scale)))[80:120]
    assert np.diff(ends)[80:120] / TOTAL == pytest.approx(expected, rel=5e-3)


def test_tables():
    table = logistic_table()
    assert table[0] == 0
    assert table[-1] == TOTAL
    assert (np.diff(table) >= 0).all()
    assert (table + table[::-1] == TOTAL).all()
    assert len(inverse_scales()) == LARGEST_SCALE - SMALLEST_SCALE + 1
    assert (np.diff(inverse_scales()) < 0).all()

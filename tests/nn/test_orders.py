"""Orders of pixels: each is a permutation, and begins where it should."""

import itertools

import numpy as np
import pytest
import torch

from nextpixel.nn.order_names import CURVES, MOST_ORDERS
from nextpixel.nn.orders import beginning_with, curve, orders_of, random_part

SIZES = [(1, 1), (1, 7), (7, 1), (3, 5), (4, 4), (8, 8), (9, 6)]


@pytest.mark.parametrize("name", CURVES)
@pytest.mark.parametrize("size", SIZES)
def test_every_order_has_every_pixel_once(name, size):
    orders = orders_of(name, MOST_ORDERS, *size)
    assert len(orders) == MOST_ORDERS
    for order in orders:
        assert order.shape == size and order.dtype == torch.int64
        assert order.flatten().sort().values.tolist() == list(range(size[0] * size[1]))


def longest_jump(ranks):
    places = [np.argwhere(ranks == rank)[0] for rank in range(ranks.size)]
    return max(abs(here - there).sum() for here, there in itertools.pairwise(places))


def test_curves_are_what_they_are_called():
    assert curve("raster", 2, 3).tolist() == [[0, 1, 2], [3, 4, 5]]
    assert curve("s-curve", 3, 3).tolist() == [[0, 1, 2], [5, 4, 3], [6, 7, 8]]
    assert curve("hilbert", 4, 4).tolist() == [[0, 1, 14, 15], [3, 2, 13, 12], [4, 7, 8, 11], [5, 6, 9, 10]]
    assert longest_jump(curve("s-curve", 5, 4)) == longest_jump(curve("hilbert", 16, 16)) == 1


def test_the_symmetries_of_a_curve_are_different_orders_from_all_corners():
    orders = orders_of("s-curve", MOST_ORDERS, 4, 5)
    assert len({str(order.tolist()) for order in orders}) == MOST_ORDERS
    starts = [tuple((order == 0).nonzero()[0].tolist()) for order in orders]
    assert starts[::2] == [(0, 0), (3, 4), (0, 4), (3, 0)] and starts[1::2] == starts[::2]
    assert [order.tolist() for order in orders_of("s-curve", 3, 4, 5)] == [order.tolist() for order in orders[:3]]


def test_what_is_known_comes_first_and_otherwise_nothing_changes():
    order = torch.from_numpy(curve("raster", 2, 3))
    known = torch.tensor([[False, True, False], [False, False, True]])
    assert beginning_with(known, order).tolist() == [[2, 0, 3], [4, 5, 1]]
    for nothing in (torch.zeros(2, 3, dtype=torch.bool), torch.ones(2, 3, dtype=torch.bool)):
        assert torch.equal(beginning_with(nothing, order), order)


def test_random_parts_are_scattered_or_rectangles_of_all_sizes():
    parts = [random_part(6, 5, np.random.default_rng(seed)) for seed in range(300)]
    assert all(part.shape == (6, 5) and part.dtype == torch.bool for part in parts)
    shares = torch.stack(parts).double().mean(dim=(1, 2))
    assert shares.min() == 0 and shares.max() == 1 and 0.4 < shares.mean() < 0.6

    def changes(part):
        return int((part[:, 1:] != part[:, :-1]).any(dim=0).sum() + (part[1:] != part[:-1]).any(dim=1).sum())

    rectangles = [part for part in parts if changes(part) <= 4]
    assert 100 < len(rectangles) < 200
    assert {bool(part[0, 0]) for part in rectangles} == {True, False}

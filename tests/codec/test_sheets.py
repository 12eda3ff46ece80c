"""Which sheets of a file are decoded together."""

import time
from itertools import pairwise

import pytest

from nextpixel.codec.sheets import groups_of_sheets, sheets_of
from nextpixel.codec.wavefront import GROUP_PIXELS
from nextpixel.coding.colour_lattices import OnLattice


def test_a_group_has_sheets_of_one_kind_in_their_order():
    lattices = [None, OnLattice(1, 9), None, OnLattice(1, 11), OnLattice(1, 9)]
    sheets = [sheet for number, on in enumerate(lattices) for sheet in sheets_of(3, number, (4, 5, 6), on)]
    groups = [[(sheet.picture, len(sheet.channels)) for sheet in group] for group in groups_of_sheets(sheets)]
    assert groups == [[(0, 3), (2, 3)], [(number, 1) for number in range(5)], [(1, 3), (4, 3)], [(3, 3)]]


@pytest.mark.parametrize("heights", [[2**10, 2**10, 1, 2**11, 2**13, 1], [2**13, 2**13]])
def test_a_group_has_so_many_pixels_unless_one_sheet_has_more(heights):
    sheets = [sheet for number, height in enumerate(heights) for sheet in sheets_of(1, number, (1, height, 2**11))]
    groups = list(groups_of_sheets(sheets))
    assert [sheet for group in groups for sheet in group] == sheets
    assert all(len(group) == 1 or sum(sheet.pixel_count for sheet in group) <= GROUP_PIXELS for group in groups)
    # None is smaller than it must be.
    for group, following in pairwise(groups):
        assert sum(sheet.pixel_count for sheet in [*group, following[0]]) > GROUP_PIXELS


def test_very_many_small_sheets_are_grouped_soon():
    sheets = [sheet for number in range(50_000) for sheet in sheets_of(1, number, (1, 1, 1))]
    start = time.process_time()
    assert [len(group) for group in groups_of_sheets(sheets)] == [50_000]
    assert time.process_time() - start < 5

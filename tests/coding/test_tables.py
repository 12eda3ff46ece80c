import math
import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers.tiny_models import many
from nextpixel.coding.rans import TOTAL
from nextpixel.coding.tables import EXP_BITS, exp_table, frequencies, rounded
from nextpixel.plan.integers import FRACTION_BITS, MOST_RANGE_BITS, ONE, elu_table, gate_tables

rows = st.integers(2, 256).flatmap(lambda n: st.lists(st.integers(-(2**15), 2**15), min_size=n, max_size=n))


@many
@given(logits=rows)
def test_frequencies_sum_to_the_total_and_none_is_zero(logits):
    shares = frequencies(np.array([logits], np.float32), FRACTION_BITS)
    assert shares.dtype == np.int64 and int(shares.sum()) == TOTAL and int(shares.min()) >= 1
    # A larger logit has no smaller frequency.
    order = np.argsort(logits, kind="stable")
    assert (np.diff(shares[0][order]) >= 0).all() or len(set(logits)) < len(logits)


@many
@given(logits=st.lists(st.integers(-2000, 2000), min_size=2, max_size=256))
def test_frequencies_are_those_of_a_softmax(logits):
    shares = frequencies(np.array([logits], np.float64), FRACTION_BITS)[0] / TOTAL
    expected = np.exp((np.array(logits) - max(logits)) / ONE)
    np.testing.assert_allclose(shares, expected / expected.sum(), atol=1e-4, rtol=1e-3)


def test_what_is_left_goes_to_the_first_of_the_largest():
    shares = frequencies(np.array([[0.0, 5.0, 5.0]]), FRACTION_BITS)[0]
    assert shares[1] >= shares[2] and int(shares.sum()) == TOTAL


def test_tables_are_far_from_where_rounding_turns():
    """Building them raises otherwise; here the margin is looked at from outside, with other arithmetic."""
    from fractions import Fraction

    table = exp_table(FRACTION_BITS)
    assert int(table[0]) == 2**EXP_BITS and int(table[-1]) == 0
    for d in (1, 100, 1000, 3000):
        # A Taylor series in rational numbers, without any library's exponential.
        x = Fraction(d, 2**FRACTION_BITS)
        term, total, n = Fraction(1), Fraction(1), 0
        while term > Fraction(1, 10**12):
            n += 1
            term = term * x / n
            total += term
        assert int(table[d]) == round(Fraction(2**EXP_BITS) / total)


def test_a_value_in_the_middle_is_refused():
    assert (rounded(2.4), rounded(2.6), rounded(-2.6)) == (2, 3, -3)
    with pytest.raises(ArithmeticError):
        rounded(2.5 + 1e-9)


def test_gate_and_elu_tables_are_their_functions():
    tanh, sigmoid = gate_tables()
    half = len(tanh) // 2
    for place in (0, half, half + 37, len(tanh) - 1):
        x = (place - half) / ONE
        assert abs(tanh[place] / ONE - math.tanh(x)) <= 0.5 / ONE + 1e-9
        assert abs(sigmoid[place] / ONE - 1 / (1 + math.exp(-x))) <= 0.5 / ONE + 1e-9
    elu = elu_table(1000)
    assert elu[1000 + 300] == 300 and elu[1000] == 0 and elu[0] == round(ONE * math.expm1(-1000 / ONE))


def test_the_table_of_elu_is_made_at_once_however_long_it_is():
    """A file of a hundred bytes asks for as long a table as its ranges allow."""
    elu_table.cache_clear()
    largest = ONE << MOST_RANGE_BITS
    started = time.process_time()
    elu = elu_table(largest)
    assert time.process_time() - started < 0.5
    reach = 20 * ONE
    by_its_function = [rounded(ONE * math.expm1(place / ONE)) for place in range(-reach, 1)]
    assert np.array_equal(elu[largest - reach : largest + 1], by_its_function)
    assert np.array_equal(elu[largest:], np.arange(largest + 1)) and np.all(elu[: largest - reach] == -ONE)

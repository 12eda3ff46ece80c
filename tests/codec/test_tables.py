import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from helpers.tiny_models import many
from nextpixel.codec.integers import FRACTION_BITS, ONE, elu_table, gate_tables
from nextpixel.codec.rans import TOTAL
from nextpixel.codec.tables import EXP_BITS, exp_table, frequencies, rounded

rows = st.integers(2, 256).flatmap(lambda n: st.lists(st.integers(-(2**15), 2**15), min_size=n, max_size=n))


@many
@given(logits=rows)
def test_frequencies_sum_to_the_total_and_none_is_zero(logits):
    found = frequencies(torch.tensor([logits], dtype=torch.float32), FRACTION_BITS)
    assert found.dtype == torch.int64 and int(found.sum()) == TOTAL and int(found.min()) >= 1
    # A larger logit has no smaller frequency.
    order = torch.tensor(logits).argsort(stable=True)
    assert (found[0][order].diff() >= 0).all() or len(set(logits)) < len(logits)


@many
@given(logits=st.lists(st.integers(-2000, 2000), min_size=2, max_size=256))
def test_frequencies_are_those_of_a_softmax(logits):
    found = frequencies(torch.tensor([logits], dtype=torch.float64), FRACTION_BITS)[0].double() / TOTAL
    expected = (torch.tensor(logits, dtype=torch.float64) / ONE).softmax(0)
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-3)


def test_what_is_left_goes_to_the_first_of_the_largest():
    found = frequencies(torch.tensor([[0.0, 5.0, 5.0]]), FRACTION_BITS)[0]
    assert found[1] >= found[2] and int(found.sum()) == TOTAL


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
    both = gate_tables()
    half = len(both) // 2
    for i in (0, half // 2, half // 2 + 37, half - 1):
        x = (i - half // 2) / ONE
        assert abs(both[i] / ONE - math.tanh(x)) <= 0.5 / ONE + 1e-9
        assert abs(both[half + i] / ONE - 1 / (1 + math.exp(-x))) <= 0.5 / ONE + 1e-9
    elu = elu_table(1000)
    assert elu[1000 + 300] == 300 and elu[1000] == 0 and elu[0] == round(ONE * math.expm1(-1000 / ONE))

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from helpers.tiny_models import many
from nextpixel.errors import InputError
from nextpixel.nn.distributions import Categorical, SamplingParams, draw

LAST = 1 - 2**-53
"""The largest number that a uniform draw in float64 can give."""

logit = st.floats(-(2.0**100), 2.0**100, width=32) | st.floats(-20, 20, width=32)
rows = st.lists(logit, min_size=2, max_size=9)
uniform = st.floats(0, LAST) | st.sampled_from([0.0, LAST, 0.5, 2**-1074])
temperature = st.sampled_from([0.05, 0.5, 1.0, 3.0, 1e6])


def softmax(values, temperature=1.0):
    """In plain Python."""
    top = max(values)
    weights = [math.exp((value - top) / temperature) for value in values]
    return [weight / math.fsum(weights) for weight in weights]


@pytest.mark.parametrize("levels", [2, 3, 256])
@pytest.mark.parametrize("dtype", [torch.uint8, torch.int64])
def test_the_log_probability_is_the_log_softmax_at_the_level(levels, dtype):
    distribution = Categorical(levels)
    assert distribution.levels == distribution.parameters == levels
    parameters = 5 * torch.randn(2, levels, 3, 4, 5, dtype=torch.float64)
    images = torch.randint(levels, (2, 3, 4, 5)).to(dtype)
    expected = parameters.log_softmax(1).gather(1, images.long()[:, None])[:, 0]
    torch.testing.assert_close(distribution.log_prob(parameters, images), expected)
    torch.testing.assert_close(distribution.log_prob(parameters + 1000, images), expected)
    assert torch.equal(distribution.logits(parameters), parameters)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_is_widened(dtype):
    distribution = Categorical(4)
    parameters = torch.randn(2, 4, 1, 3, 3).to(dtype)
    images = torch.randint(4, (2, 1, 3, 3))
    assert distribution.logits(parameters).dtype == torch.float32
    torch.testing.assert_close(
        distribution.log_prob(parameters, images), distribution.log_prob(parameters.float(), images)
    )


@many
@given(values=rows)
def test_log_probabilities_of_large_logits_are_finite_or_impossible_but_never_nan(values):
    parameters = torch.tensor(values).view(1, -1, 1, 1, 1).expand(len(values), -1, -1, -1, -1)
    nats = Categorical(len(values)).log_prob(parameters, torch.arange(len(values)).view(-1, 1, 1, 1)).flatten()
    assert not nats.isnan().any() and (nats <= 1e-6).all()
    # A difference of logits can lose all but a few bits, so only those near the top have to be exact.
    if max(values) < 20 and min(values) > -20:
        assert nats.exp().tolist() == pytest.approx(softmax(values), abs=1e-5)


@many
@given(values=rows, u=uniform, t=temperature)
def test_a_draw_is_a_level_of_positive_probability(values, u, t):
    level = draw(torch.tensor([values]), torch.tensor([u], dtype=torch.float64), SamplingParams(t))
    assert level.dtype == torch.int64 and level.shape == (1,)
    assert 0 <= level < len(values)
    assert softmax(torch.tensor(values).double().tolist(), t)[level] > 0


@many
@given(possible=st.lists(st.booleans(), min_size=2, max_size=9).filter(any), u=uniform)
def test_a_level_of_logit_minus_infinity_is_never_drawn(possible, u):
    values = torch.tensor([0.0 if each else -math.inf for each in possible])
    assert possible[draw(values[None], torch.tensor([u], dtype=torch.float64))]


@many
@given(values=rows, u=st.lists(uniform, min_size=2, max_size=6), t=temperature)
def test_a_larger_number_never_draws_a_lower_level(values, u, t):
    uniforms = torch.tensor(sorted(u), dtype=torch.float64)
    levels = draw(torch.tensor([values]).expand(len(u), -1), uniforms, SamplingParams(t))
    assert (levels.diff() >= 0).all()


@many
@given(values=st.lists(st.floats(-5, 5), min_size=2, max_size=6), t=st.sampled_from([0.5, 1.0, 2.0]))
def test_each_level_gets_its_share_of_the_numbers(values, t):
    uniforms = (torch.arange(1000, dtype=torch.float64) + 0.5) / 1000
    levels = draw(torch.tensor([values], dtype=torch.float64).expand(1000, -1), uniforms, SamplingParams(t))
    shares = levels.bincount(minlength=len(values)) / 1000
    assert shares.tolist() == pytest.approx(softmax(values, t), abs=0.0011)


@many
@given(values=rows, u=uniform)
def test_temperature_zero_takes_the_most_probable_level(values, u):
    level = int(draw(torch.tensor([values]), torch.tensor([u], dtype=torch.float64), SamplingParams(0)))
    assert values[level] == max(values)


@many
@given(values=st.lists(st.floats(-20, 20), min_size=2, max_size=6, unique=True), u=uniform)
def test_the_smallest_temperatures_are_as_good_as_zero(values, u):
    uniforms = torch.tensor([u], dtype=torch.float64)
    logits = torch.tensor([values], dtype=torch.float64)
    for smallest in (1e-300, 1e-310, 5e-324):
        level = int(draw(logits, uniforms, SamplingParams(smallest)))
        assert values[level] == pytest.approx(max(values), abs=1e-290)


apart = st.lists(st.integers(-20, 20), min_size=2, max_size=6, unique=True).map(lambda each: [v / 4 for v in each])


@many
@given(values=apart, k=st.integers(1, 7))
def test_top_k_draws_from_the_most_probable_levels_in_their_proportions(values, k):
    shares = SamplingParams(top_k=k).probabilities(torch.tensor([values]))[0]
    kept = sorted(range(len(values)), key=lambda level: -values[level])[:k]
    assert set(shares.nonzero().flatten().tolist()) == set(kept)
    whole = softmax(values)
    total = sum(whole[level] for level in kept)
    assert [float(shares[level] / shares.sum()) for level in kept] == pytest.approx(
        [whole[level] / total for level in kept], abs=1e-5
    )


@many
@given(values=apart, p=st.floats(0.01, 1))
def test_top_p_draws_from_the_fewest_levels_that_have_the_share(values, p):
    whole = SamplingParams().probabilities(torch.tensor([values]))[0]
    kept = SamplingParams(top_p=p).probabilities(torch.tensor([values]))[0].nonzero().flatten().tolist()
    smallest = min(kept, key=lambda level: whole[level])
    assert float(whole[kept].sum()) >= p - 1e-9
    assert float(whole[[level for level in kept if level != smallest]].sum()) < p
    assert all(whole[other] <= whole[smallest] for other in range(len(values)) if other not in kept)


@many
@given(values=rows, u=uniform, k=st.integers(1, 4), p=st.floats(0.01, 1))
def test_a_tamed_draw_is_one_of_the_levels_that_are_left(values, u, k, p):
    sampling = SamplingParams(0.7, k, p)
    level = int(draw(torch.tensor([values]), torch.tensor([u], dtype=torch.float64), sampling))
    assert sampling.probabilities(torch.tensor([values]))[0, level] > 0


@pytest.mark.parametrize(
    "sampling",
    [{"temperature": -1}, {"temperature": math.nan}, {"top_k": 0}, {"top_k": 1.5}, {"top_p": 0}, {"top_p": 1.1}],
)
def test_sampling_out_of_range_is_refused(sampling):
    with pytest.raises(InputError, match=next(iter(sampling))):
        SamplingParams(**sampling)

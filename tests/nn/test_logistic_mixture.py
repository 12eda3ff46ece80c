import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from helpers.tiny_models import many
from nextpixel.errors import ModelError
from nextpixel.nn.heads import HEADS, distribution
from nextpixel.nn.logistic_mixture import SHARES, LogisticMixture


def logistic(x):
    return 1 / (1 + math.exp(-x)) if x > -700 else 0.0


def by_hand(levels, components, numbers, value):
    """The probability of a value by the formula of the module, in plain Python; no colours before."""
    logits, means, log_scales = (numbers[k * components : (k + 1) * components] for k in range(3))
    weights = [math.exp(logit - max(logits)) for logit in logits]
    mass = 0.0
    for weight, mean, log_scale in zip(weights, means, log_scales, strict=True):
        # From values in [-1, 1] to levels.
        mean, scale = (mean + 1) / 2 * (levels - 1), math.exp(log_scale) / 2 * (levels - 1)
        scale = min(max(scale, 1 / 16), 256)
        below = 0.0 if value == 0 else logistic((value - 0.5 - mean) / scale)
        above = 1.0 if value == levels - 1 else logistic((value + 0.5 - mean) / scale)
        mass += weight / sum(weights) * (above - below)
    return (1 - levels / SHARES) * mass + 1 / SHARES


@many
@given(levels=st.sampled_from([2, 3, 17, 256]), components=st.integers(1, 4), seed=st.integers(0, 99), data=st.data())
def test_the_probability_is_that_of_the_formula(levels, components, seed, data):
    mixture = LogisticMixture(levels, 1, components)
    torch.manual_seed(seed)
    parameters = torch.randn(1, mixture.parameters, 1, 1, 1, dtype=torch.float64)
    value = data.draw(st.integers(0, levels - 1))
    expected = by_hand(levels, components, parameters.flatten().tolist(), value)
    nats = mixture.log_prob(parameters, torch.full((1, 1, 1, 1), value))
    assert nats.item() == pytest.approx(math.log(expected), abs=1e-9)


@pytest.mark.parametrize("levels", [2, 3, 256])
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_logits_are_the_log_probabilities_of_all_levels_and_sum_to_one(levels, channels):
    mixture = LogisticMixture(levels, channels, 5)
    parameters = 3 * torch.randn(2, mixture.parameters, channels, 2, 3, dtype=torch.float64)
    logits = mixture.logits(parameters)
    assert logits.shape == (2, levels, channels, 2, 3)
    torch.testing.assert_close(logits.exp().sum(dim=1), torch.ones(2, channels, 2, 3, dtype=torch.float64))
    images = torch.randint(levels, (2, channels, 2, 3))
    chosen = logits.gather(1, images[:, None])[:, 0]
    torch.testing.assert_close(mixture.log_prob(parameters, images), chosen)


def test_no_level_is_impossible_and_far_tails_keep_their_digits():
    mixture = LogisticMixture(256, 1, 1)
    sharp = torch.tensor([0.0, -1.0, -20.0]).view(1, 3, 1, 1, 1)
    nats = mixture.log_prob(sharp, torch.full((1, 1, 1, 1), 255))
    assert nats.item() == pytest.approx(-math.log(SHARES), abs=1e-4)
    assert mixture.log_prob(sharp, torch.zeros(1, 1, 1, 1, dtype=torch.long)).item() > -1e-3


def test_means_move_with_earlier_colours_of_the_pixel_only():
    mixture = LogisticMixture(256, 3, 2)
    parameters = torch.randn(1, mixture.parameters, 3, 4, 5)
    inputs = torch.rand(1, 3, 4, 5) * 2 - 1
    coupled = mixture.coupled_map(parameters, inputs)
    moved = inputs.clone()
    moved[0, 1, 2, 2] += 0.1
    change = (mixture.coupled_map(parameters, moved) - coupled).abs().amax(dim=(0, 1)) > 0
    expected = torch.zeros(3, 4, 5, dtype=torch.bool)
    expected[2, 2, 2] = True
    assert torch.equal(change, expected)
    # By the second of its coefficients, 4 to 5 after weights, means and scales.
    first = 3 * 2 + 2
    by = (mixture.coupled_map(parameters, moved) - coupled)[0, 2:4, 2, 2, 2]
    torch.testing.assert_close(by, 0.1 * parameters[0, first : first + 2, 2, 2, 2])


@pytest.mark.parametrize("components", [0, 101, 2.5, True])
def test_components_out_of_range_are_refused(components):
    with pytest.raises(ModelError, match="components must be an integer from 1 to 100"):
        LogisticMixture(256, 3, components)


def test_an_unknown_head_is_refused_with_those_there_are():
    with pytest.raises(ModelError, match=f"no head 'gaussian'; the heads are {', '.join(HEADS)}"):
        distribution("gaussian", 256, 3)

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import nextpixel as nx
from helpers.tiny_models import few
from nextpixel.nn.local_units import LocalUnits, local_units
from nextpixel.nn.mixture_in_units import log_prob_in_units


def example(channels, levels, components, count, seed, spread=1.0):
    """A model with such a head, the last layer's numbers, the units and the values of some pixels."""
    torch.manual_seed(seed)
    options = {"features": 4, "layers": 1, "components": components}
    model = nx.build("local-pixelcnn", image_shape=(channels, 4, 4), levels=levels, **options)
    parts = 3 * channels + channels * (channels - 1) // 2
    outputs = spread * torch.randn(count, parts * components, dtype=torch.float64)
    units = local_units(torch.randint(levels, (count, 6, channels)).double(), levels)
    values = torch.randint(levels, (count, channels))
    # The ends of the scale, which take tails.
    values[::3] = torch.randint(2, (len(values[::3]), channels)) * (levels - 1)
    return model, outputs.requires_grad_(), units, values


def by_the_head(model, outputs, units, values):
    """The same by parameters in values and the head itself."""
    head = model.distribution
    parameters = model._of_distribution(outputs[None], LocalUnits(*(unit[None] for unit in units)))[0]
    inputs = values.to(outputs) / model.half_range - 1
    coupled = head.coupled_map(parameters.transpose(1, 2)[..., None, None], inputs[..., None, None])
    return head.log_prob(coupled, values[..., None, None])[..., 0, 0]


@few
@given(
    channels=st.integers(1, 4),
    levels=st.sampled_from([2, 3, 17, 256]),
    components=st.sampled_from([1, 2, 5]),
    count=st.sampled_from([0, 1, 50]),
    spread=st.sampled_from([0.1, 1.0, 6.0]),
    seed=st.integers(0, 99),
)
def test_it_is_what_the_head_says_and_so_is_its_gradient(channels, levels, components, count, spread, seed):
    model, outputs, units, values = example(channels, levels, components, count, seed, spread)
    expected = by_the_head(model, outputs, units, values)
    nats = log_prob_in_units(outputs, units, values, model.distribution)
    torch.testing.assert_close(nats, expected)
    direction = torch.randn(nats.shape, dtype=torch.float64)
    (gradient,) = torch.autograd.grad(nats, outputs, direction)
    torch.testing.assert_close(gradient, torch.autograd.grad(expected, outputs, direction)[0])


@pytest.mark.parametrize("levels", [4, 256])
def test_the_gradient_is_that_of_finite_differences(levels):
    model, outputs, units, values = example(3, levels, 2, 6, 0)
    assert torch.autograd.gradcheck(
        lambda numbers: log_prob_in_units(numbers, units, values, model.distribution), outputs
    )


def test_values_may_be_bytes_and_half_precision_is_widened():
    model, outputs, units, values = example(3, 256, 5, 20, 1)
    half = outputs.detach().bfloat16().requires_grad_()
    nats = log_prob_in_units(half, units, values.byte(), model.distribution)
    assert nats.dtype == torch.float32
    expected = log_prob_in_units(half.detach().double(), units, values, model.distribution)
    torch.testing.assert_close(nats.double(), expected, rtol=1e-3, atol=1e-3)
    nats.sum().backward()
    assert half.grad.dtype == torch.bfloat16


def test_it_says_that_it_has_no_second_derivative():
    model, outputs, units, values = example(1, 256, 1, 2, 0)
    nats = log_prob_in_units(outputs, units, values, model.distribution)
    with pytest.raises(RuntimeError, match="second derivative"):
        torch.autograd.grad(nats.sum(), outputs, create_graph=True)

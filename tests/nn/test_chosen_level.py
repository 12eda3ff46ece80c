import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from helpers.tiny_models import few
from nextpixel.nn import chosen_level
from nextpixel.nn.chosen_level import log_softmax_at


@few
@given(
    shape=st.sampled_from([(0, 3), (1, 1), (3, 4), (5, 2, 3)]),
    levels=st.sampled_from([2, 3, 256]),
    piece=st.sampled_from([1, 700, 2**18]),
    seed=st.integers(0, 99),
)
def test_it_is_the_log_softmax_at_the_levels_and_so_is_its_gradient(shape, levels, piece, seed):
    torch.manual_seed(seed)
    logits = (4 * torch.randn(*shape, levels, dtype=torch.float64)).requires_grad_()
    at, direction = torch.randint(levels, shape), torch.randn(shape, dtype=torch.float64)
    expected = logits.log_softmax(-1).gather(-1, at[..., None])[..., 0]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(chosen_level, "PIECE", piece)
        found = log_softmax_at(logits, at)
        (gradient,) = torch.autograd.grad(found, logits, direction)
    torch.testing.assert_close(found, expected)
    torch.testing.assert_close(gradient, torch.autograd.grad(expected, logits, direction)[0])


def test_half_precision_is_widened():
    logits, at = torch.randn(3, 5, 256).bfloat16().requires_grad_(), torch.randint(256, (3, 5))
    found = log_softmax_at(logits, at)
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, logits.float().log_softmax(-1).gather(-1, at[..., None])[..., 0])
    found.sum().backward()
    assert logits.grad.dtype == torch.bfloat16


def test_impossible_levels_keep_the_gradient_finite():
    logits = torch.tensor([[0.0, -torch.inf, 1000.0]], requires_grad=True)
    found = log_softmax_at(logits, torch.tensor([2]))
    found.sum().backward()
    assert found.item() == 0
    assert torch.equal(logits.grad, torch.zeros(1, 3))


def test_it_says_that_it_has_no_second_derivative():
    logits = torch.randn(2, 3, requires_grad=True)
    with pytest.raises(RuntimeError, match="second derivative"):
        torch.autograd.grad(log_softmax_at(logits, torch.tensor([0, 1])).sum(), logits, create_graph=True)

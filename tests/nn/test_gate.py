import pytest
import torch

from nextpixel.nn.gate import gate, tanh


def plain(maps):
    features, gates = maps.chunk(2, dim=1)
    return features.tanh() * gates.sigmoid()


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
def test_it_is_a_tanh_times_a_sigmoid_and_so_is_its_gradient(dtype, layout):
    maps = (2 * torch.randn(3, 10, 4, 5)).to(dtype).to(memory_format=layout).requires_grad_()
    direction = torch.randn(3, 5, 4, 5).to(dtype)
    exact = maps.detach().double().requires_grad_()
    found, expected = gate(maps), plain(exact)
    assert found.dtype == dtype
    tolerance = {"atol": 8 * torch.finfo(dtype).eps, "rtol": 8 * torch.finfo(dtype).eps}
    torch.testing.assert_close(found.double(), expected, **tolerance)
    (gradient,) = torch.autograd.grad(found, maps, direction)
    (expected_gradient,) = torch.autograd.grad(expected, exact, direction.double())
    torch.testing.assert_close(gradient.double(), expected_gradient, **tolerance)
    assert gradient.is_contiguous(memory_format=layout)


def test_its_gradient_is_that_of_finite_differences():
    assert torch.autograd.gradcheck(gate, torch.randn(2, 6, 3, 2, dtype=torch.float64, requires_grad=True))


def test_it_leaves_its_input_alone():
    maps = torch.randn(2, 6, 3, 3)
    before = maps.clone()
    gate(maps)
    assert torch.equal(maps, before)


def test_it_says_that_it_has_no_second_derivative():
    maps = torch.randn(1, 4, 2, 2, requires_grad=True)
    with pytest.raises(RuntimeError, match="second derivative"):
        torch.autograd.grad(gate(maps).sum(), maps, create_graph=True)


def test_tanh_is_exact_to_the_rounding_of_numbers_near_one():
    maps = torch.cat(
        [torch.linspace(-30, 30, 4001), torch.logspace(-8, 0, 1000), torch.tensor([torch.inf, -torch.inf])]
    )
    found = tanh(maps, out=torch.empty_like(maps))
    assert (found.double() - maps.double().tanh()).abs().max() < 2.5e-7
    assert found.abs().max() == 1
    assert torch.equal(tanh(maps, out=maps), found)

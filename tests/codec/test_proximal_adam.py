import math

import pytest
import torch
from torch import nn

from nextpixel.codec.proximal_adam import DECAYS, ProximalAdam


def walk(optimizer, parameters, target, count):
    """Steps down a sum of squares, which has its minimum at a target."""
    for _ in range(count):
        loss = sum(((parameter - goal) ** 2).sum() for parameter, goal in zip(parameters, target, strict=True))
        loss.backward()
        optimizer.update(1e-2)


def some(*shapes):
    torch.manual_seed(0)
    return [nn.Parameter(torch.randn(shape)) for shape in shapes], [torch.randn(shape) for shape in shapes]


def test_without_a_price_it_is_adam():
    parameters, target = some((3, 4), (5,))
    others = [nn.Parameter(parameter.detach().clone()) for parameter in parameters]
    adam = torch.optim.Adam(others, 1e-2, betas=DECAYS)
    for _ in range(50):
        adam.zero_grad()
        sum(((other - goal) ** 2).sum() for other, goal in zip(others, target, strict=True)).backward()
        adam.step()
    before = [parameter.detach().clone() for parameter in parameters]
    optimizer = ProximalAdam(parameters, [0.5, 0.25], 0.0)
    walk(optimizer, parameters, target, 50)
    for parameter, other in zip(parameters, others, strict=True):
        torch.testing.assert_close(parameter, other, atol=1e-5, rtol=1e-4)
    for parameter, old, change, step in zip(parameters, before, optimizer.changes(), [0.5, 0.25], strict=True):
        torch.testing.assert_close(change, (parameter - old) / step)


def test_what_is_not_worth_its_price_stays_exactly():
    parameters, _ = some((40,))
    before = parameters[0].detach().clone()
    gain = torch.linspace(0, 2, 40)
    price = 0.5
    optimizer = ProximalAdam(parameters, [1.0], price)
    for _ in range(200):
        (gain * parameters[0]).sum().backward()
        optimizer.update(1e-3)
    # The first part of a step costs price / ln 2.
    worth = gain > price / math.log(2)
    (change,) = optimizer.changes()
    assert torch.equal(change[~worth], torch.zeros_like(change[~worth]))
    assert (change[gain > 1.1 * price / math.log(2)] < 0).all()
    assert torch.equal(parameters[0][~worth], before[~worth])


@pytest.mark.parametrize("price", [0.0, 0.1])
def test_an_update_forgets_the_gradients(price):
    parameters, target = some((2, 3), (4,))
    optimizer = ProximalAdam(parameters, [1.0, 1.0], price)
    walk(optimizer, parameters, target, 3)
    assert all(not parameter.grad.any() for parameter in parameters)

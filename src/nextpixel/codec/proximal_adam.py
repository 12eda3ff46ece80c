"""Adam with a cost of changes: after each of its steps every weight is drawn back to where it was.

A weight that differs by so many steps from what it was costs `price * log2(1 + |change| / step)`, so only those move
that are worth it (a proximal gradient method, in Adam's own metric). All weights lie one after the other in one tensor:
an update is a dozen passes over it, whatever the number of layers.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

DECAYS = (0.9, 0.95)
TINY = 1e-8


class ProximalAdam:
    """The optimizer (Kingma and Ba 2015, arXiv 1412.6980, with a proximal step).

    Args:
        parameters: float32, which become views of one tensor, and so do their gradients.
        steps: of each parameter, the unit of its changes.
        price: what a change of one step costs, in the units of the loss.
    """

    def __init__(self, parameters: Sequence[nn.Parameter], steps: Sequence[float], price: float) -> None:
        sizes = [parameter.numel() for parameter in parameters]
        self._before = torch.cat([parameter.detach().flatten() for parameter in parameters])
        self._weights = self._before.clone()
        self._gradient, self._mean, self._square = (torch.zeros_like(self._weights) for _ in range(3))
        self._steps = torch.tensor(steps).repeat_interleave(torch.tensor(sizes))
        self._price, self._updates = price / math.log(2), 0
        self._parts = list(zip(parameters, self._weights.split(sizes), self._gradient.split(sizes), strict=True))
        for parameter, weights, gradient in self._parts:
            parameter.data = weights.view_as(parameter)
            parameter.grad = gradient.view_as(parameter)

    @torch.no_grad()
    def update(self, rate: float) -> None:
        """Take a step along the gradients that the parameters have got since the last one.

        Args:
            rate: of learning.
        """
        self._updates += 1
        self._mean.lerp_(self._gradient, 1 - DECAYS[0])
        self._square.mul_(DECAYS[1]).addcmul_(self._gradient, self._gradient, value=1 - DECAYS[1])
        scale = (self._square / (1 - DECAYS[1] ** self._updates)).sqrt_().add_(TINY)
        self._weights.addcdiv_(self._mean, scale, value=-rate / (1 - DECAYS[0] ** self._updates))
        change = self._weights - self._before
        kept = change.abs()
        # The derivative of the cost, in the metric in which Adam moves.
        scale.mul_(kept + self._steps)
        kept.addcdiv_(torch.ones_like(scale), scale, value=-rate * self._price).clamp_(min=0)
        torch.addcmul(self._before, change.sign_(), kept, out=self._weights)
        self._gradient.zero_()

    def changes(self) -> list[Tensor]:
        """How much each parameter has changed, in its steps."""
        changes = (self._weights - self._before) / self._steps
        parts = changes.split([parameter.numel() for parameter, _, _ in self._parts])
        return [part.view_as(parameter) for (parameter, _, _), part in zip(self._parts, parts, strict=True)]

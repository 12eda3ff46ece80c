"""Likelihood heads: from the numbers a network gives for a sub-pixel to the probabilities of its levels.

A head says how many parameters a sub-pixel needs, the log-probability of given levels, and the logits over all levels
(which sampling, completing and coding use). Two levels make a Bernoulli, more make the 256-way softmax of
arXiv 1601.06759; both are `Categorical`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from torch import Tensor


class Head(ABC):
    """The distribution of one sub-pixel.

    Attributes:
        levels: number of values a sub-pixel can have.
        parameters: numbers that the network gives for a sub-pixel.
    """

    levels: int
    parameters: int

    @abstractmethod
    def logits(self, parameters: Tensor) -> Tensor:
        """Logits over the levels: `[B, parameters, C, H, W]` to `[B, levels, C, H, W]`, float32 or wider."""

    @abstractmethod
    def log_prob(self, parameters: Tensor, images: Tensor) -> Tensor:
        """Nats of each sub-pixel: parameters `[B, parameters, C, H, W]`, integers `[B, C, H, W]` to `[B, C, H, W]`."""


class Categorical(Head):
    """A free probability for each of the levels, by softmax."""

    def __init__(self, levels: int) -> None:
        self.levels = levels
        self.parameters = levels

    def logits(self, parameters: Tensor) -> Tensor:
        """The parameters are the logits; half precision is widened."""
        return parameters.float() if parameters.dtype in (torch.bfloat16, torch.float16) else parameters

    def log_prob(self, parameters: Tensor, images: Tensor) -> Tensor:
        """Log-softmax at the given levels."""
        # Levels last, as a channels-last network lays them out in memory, is several times faster on CPUs.
        logits = self.logits(parameters).permute(0, 3, 4, 2, 1)
        targets = images.long().permute(0, 2, 3, 1)[..., None]
        chosen = logits.gather(-1, targets)[..., 0] - logits.logsumexp(-1)
        return chosen.permute(0, 3, 1, 2)


def draw(logits: Tensor, uniforms: Tensor, temperature: float = 1.0) -> Tensor:
    """Draw a level by inverting the cumulative distribution.

    Args:
        logits: `[B, levels]`.
        uniforms: `[B]`, uniform on [0, 1): one number a draw, so that an image's draws do not depend on its batch.
        temperature: divides the logits; 0 takes the most probable level.

    Returns:
        int64 `[B]`.
    """
    if temperature == 0:
        return logits.argmax(dim=1)
    logits = logits.double()
    # The largest logit becomes 0 first: divided by a tiny temperature it would overflow.
    probabilities = ((logits - logits.amax(dim=1, keepdim=True)) / temperature).softmax(dim=1)
    cumulative = probabilities.cumsum(dim=1)
    # The sum can round to just below 1 and the comparison then run past the end, or stop at a level of probability 0.
    last = (probabilities > 0).long().cumsum(dim=1).argmax(dim=1)
    return torch.minimum((cumulative <= uniforms[:, None]).sum(dim=1), last)

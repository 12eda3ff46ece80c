"""Distributions: from the numbers a network gives for a sub-pixel to the probabilities of its levels.

A distribution says how many parameters a sub-pixel needs, the log-probability of given levels, and the logits over all
levels (which sampling, completing and coding use). Two levels make a Bernoulli, more make the 256-way softmax of
arXiv 1601.06759; both are `Categorical`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from nextpixel.errors import InputError
from nextpixel.nn.chosen_level import log_softmax_at
from nextpixel.nn.half import widened
from nextpixel.runtime.validation import integer, real


class Distribution(ABC):
    """The distribution of one sub-pixel.

    A network gives parameters that depend on earlier pixels, and in most families on earlier colours of the same pixel.
    A distribution may depend on these colours by itself as well: `coupled` makes of the network's parameters those that
    `logits` and `log_prob` take.

    Attributes:
        levels: number of values a sub-pixel can have.
        parameters: numbers that the network gives for a sub-pixel.
        couples: whether `coupled` changes anything.
    """

    levels: int
    parameters: int
    couples: bool = False

    def coupled(self, parameters: Tensor, earlier: Sequence[Tensor], colour: int) -> Tensor:  # noqa: ARG002
        """The parameters of a colour, given the colours of the same pixel before it.

        Args:
            parameters: `[B, parameters, ...]`, from the network.
            earlier: floats in [-1, 1] of each colour before it, `[B, ...]`.
            colour: which.

        Returns:
            As `parameters`.
        """
        return parameters

    def coupled_map(self, parameters: Tensor, inputs: Tensor) -> Tensor:
        """The parameters of all sub-pixels: `coupled` for `[B, parameters, C, H, W]` and images `[B, C, H, W]`."""
        if not self.couples:
            return parameters
        colours = [
            self.coupled(parameters[:, :, colour], inputs[:, :colour].unbind(1), colour)
            for colour in range(inputs.shape[1])
        ]
        return torch.stack(colours, dim=2)

    @abstractmethod
    def logits(self, parameters: Tensor) -> Tensor:
        """Logits over the levels: `[B, parameters, ...]` to `[B, levels, ...]`, float32 or wider."""

    @abstractmethod
    def log_prob(self, parameters: Tensor, images: Tensor) -> Tensor:
        """Nats of each sub-pixel: parameters `[B, parameters, C, H, W]`, integers `[B, C, H, W]` to `[B, C, H, W]`."""


class Categorical(Distribution):
    """A free probability for each of the levels, by softmax."""

    def __init__(self, levels: int) -> None:
        self.levels = levels
        self.parameters = levels

    def logits(self, parameters: Tensor) -> Tensor:
        """The parameters are the logits; half precision is widened."""
        return widened(parameters)

    def log_prob(self, parameters: Tensor, images: Tensor) -> Tensor:
        """Log-softmax at the given levels."""
        # Levels last, as a channels-last network lays them out in memory, is several times faster on CPUs.
        levels = images.long().permute(0, 2, 3, 1)
        return log_softmax_at(parameters.permute(0, 3, 4, 2, 1), levels).permute(0, 3, 1, 2)


@dataclass(frozen=True)
class SamplingParams:
    """How levels are drawn from a distribution; as it is, or tamed.

    Attributes:
        temperature: divides the logits; 0 takes the most probable level.
        top_k: draw from the so many most probable levels only.
        top_p: draw from the fewest most probable levels that together have at least this probability.

    Raises:
        InputError: a number is out of range.
    """

    temperature: float = 1.0
    top_k: int | None = None
    top_p: float | None = None

    def __post_init__(self) -> None:
        temperature = real(self.temperature)
        if temperature is None or temperature < 0:
            raise InputError(f"temperature must be a number, 0 or more, not {self.temperature!r}")
        if self.top_k is not None:
            integer("top_k", self.top_k, 1, error=InputError)
        top_p = 1.0 if self.top_p is None else real(self.top_p)
        if top_p is None or not 0 < top_p <= 1:
            raise InputError(f"top_p must be more than 0 and at most 1, not {self.top_p!r}")

    def probabilities(self, logits: Tensor) -> Tensor:
        """Probabilities of the levels, `[B, levels]` in float64, by which they are drawn; not for temperature 0."""
        logits = logits.double()
        if self.temperature != 1:
            # The largest logit becomes 0 first: divided by a tiny temperature it would overflow.
            logits = (logits - logits.amax(dim=1, keepdim=True)) / self.temperature
        probabilities = logits.softmax(dim=1)
        if self.top_k is None and self.top_p is None:
            return probabilities
        ordered, levels = probabilities.sort(dim=1, descending=True, stable=True)
        if self.top_p is not None:
            # A level stays while those before it have not reached the share; the first one always does.
            ordered = ordered.where(ordered.cumsum(dim=1) - ordered < self.top_p, 0)
        if self.top_k is not None:
            ordered[:, self.top_k :].zero_()
        return torch.zeros_like(probabilities).scatter_(1, levels, ordered)


AS_IT_IS = SamplingParams()


def draw(logits: Tensor, uniforms: Tensor, sampling: SamplingParams = AS_IT_IS) -> Tensor:
    """Draw a level by inverting the cumulative distribution.

    Args:
        logits: `[B, levels]`.
        uniforms: `[B]`, float64, uniform on [0, 1): one number a draw, so that an image's draws do not depend on its
            batch.
        sampling: how the distribution is tamed.

    Returns:
        int64 `[B]`; where the logits are not numbers `levels`, which is no level.
    """
    if sampling.temperature == 0:
        return logits.argmax(dim=1)
    cumulative = sampling.probabilities(logits).cumsum(dim=1)
    # The sum rounds to something near 1, and a number below 1 times that is below it, so some level is always found; at
    # the first level whose sum is larger the sum has just grown, so its probability is not 0.
    targets = uniforms[:, None] * cumulative[:, -1:]
    return torch.searchsorted(cumulative, targets, right=True)[:, 0]

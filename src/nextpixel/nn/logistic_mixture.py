"""The discretised logistic mixture (Salimans et al. 2017, arXiv 1701.05517), a head of few parameters.

A sub-pixel of value v, on the scale where neighbouring levels are 1 apart, has the probability

    (1 - e) * sum_k w_k (S((v + 1/2 - m_k) / s_k) - S((v - 1/2 - m_k) / s_k)) + e / levels

S is the logistic function; the lowest level takes the whole lower tail and the highest the upper one. Each colour has
its own weights w (the paper's colours share them). The mean of a component moves linearly with the colours of the same
pixel that were drawn before: m_k = a_k + sum over earlier colours b of c_kb * x_b. The uniform part e is that of an
integer coder, which gives each level one of 2^22 shares at least, so that no level is impossible.

The parameters of a sub-pixel are, K numbers each: logits of the weights, means a, logarithms of the scales s, and the
coefficients c of each earlier colour, all for values in [-1, 1]. A colour ignores coefficients of colours that are not
earlier.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from nextpixel.nn.distributions import Distribution
from nextpixel.nn.half import as_stored, widened
from nextpixel.nn.head_names import MOST_COMPONENTS
from nextpixel.runtime.validation import integer

SHARES = 2**22
"""Of an integer coder, of which every level has one at least."""

SMALLEST_SCALE, LARGEST_SCALE = 1 / 16, 256.0
"""In levels."""


class LogisticMixture(Distribution):
    """A mixture of discretised logistic distributions.

    Args:
        levels: values that a sub-pixel can take, 2 to 256.
        channels: colours of a pixel.
        components: K, logistic distributions in a mixture, 1 to 100.

    Raises:
        ModelError: the number of components is out of range.
    """

    def __init__(self, levels: int, channels: int, components: int) -> None:
        self.levels, self.channels = levels, channels
        self.components = integer("components", components, 1, MOST_COMPONENTS)
        self.parameters = self.components * (2 + channels)
        self.couples = channels > 1
        self.uniform = levels / SHARES
        self.half_level = 1 / (levels - 1)
        self.log_scales = (
            math.log(2 * self.half_level * SMALLEST_SCALE),
            math.log(2 * self.half_level * LARGEST_SCALE),
        )

    def coupled(self, parameters: Tensor, earlier: Sequence[Tensor], colour: int) -> Tensor:
        """The parameters with the means moved by the earlier colours; see `Distribution.coupled`."""
        wide = widened(as_stored(parameters))
        if colour == 0:
            return wide
        logits, means, scales, *coefficients = torch.split(wide, self.components, dim=1)
        for before in range(colour):
            means = means + coefficients[before] * earlier[before][:, None]
        return torch.cat([logits, means, scales, *coefficients], dim=1)

    def logits(self, parameters: Tensor) -> Tensor:
        """Log-probabilities of all levels; see `Distribution.logits`."""
        weights, means, inverse_scales = (part[:, None] for part in self._components(parameters))
        levels = torch.arange(self.levels, device=means.device).view(1, -1, *[1] * (means.ndim - 2))
        mass = weights * self._mass(self._values(levels, means), levels, means, inverse_scales)
        return self._mixed(mass.sum(dim=2))

    def log_prob(self, parameters: Tensor, images: Tensor) -> Tensor:
        """Nats of each sub-pixel at the given levels; see `Distribution.log_prob`."""
        weights, means, inverse_scales = self._components(parameters)
        levels = images[:, None]
        mass = weights * self._mass(self._values(levels, means), levels, means, inverse_scales)
        return self._mixed(mass.sum(dim=1))

    def _components(self, parameters: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Weights, means and inverse scales, `[B, K, ...]`."""
        logits, means, scales = torch.split(widened(as_stored(parameters)), self.components, dim=1)[:3]
        return logits.softmax(dim=1), means, scales.clamp(*self.log_scales).neg().exp()

    def _values(self, levels: Tensor, like: Tensor) -> Tensor:
        """Levels as values in [-1, 1]."""
        return levels.to(like) * (2 * self.half_level) - 1

    def _mass(self, values: Tensor, levels: Tensor, means: Tensor, inverse_scales: Tensor) -> Tensor:
        """The share of each component's mass that a level has."""
        # Measured from the nearer tail, where differences of the logistic function keep their digits.
        from_mean = values - means
        tail = -from_mean.abs()
        inside = torch.sigmoid((tail + self.half_level) * inverse_scales) - torch.sigmoid(
            (tail - self.half_level) * inverse_scales
        )
        lower = torch.sigmoid((from_mean + self.half_level) * inverse_scales)
        upper = torch.sigmoid((self.half_level - from_mean) * inverse_scales)
        return torch.where(levels == 0, lower, torch.where(levels == self.levels - 1, upper, inside))

    def _mixed(self, mass: Tensor) -> Tensor:
        """Log-probabilities, with the uniform part."""
        return (mass * (1 - self.uniform) + self.uniform / self.levels).log()

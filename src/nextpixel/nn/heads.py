"""The distributions by the name that a model's `head` option has."""

from __future__ import annotations

from nextpixel.errors import ModelError
from nextpixel.nn.distributions import Categorical, Distribution
from nextpixel.nn.head_names import COMPONENTS, HEADS, LOGISTIC_MIXTURE, SOFTMAX
from nextpixel.nn.logistic_mixture import LogisticMixture


def distribution(head: str, levels: int, channels: int, components: int = COMPONENTS) -> Distribution:
    """Make the distribution of a sub-pixel.

    Args:
        head: one of `HEADS`.
        levels: values that a sub-pixel can take.
        channels: colours of a pixel.
        components: of a logistic mixture.

    Raises:
        ModelError: there is no head of this name, or the number of components is out of range.
    """
    if head == SOFTMAX:
        return Categorical(levels)
    if head == LOGISTIC_MIXTURE:
        return LogisticMixture(levels, channels, components)
    raise ModelError(f"there is no head {head!r}; the heads are {', '.join(HEADS)}")

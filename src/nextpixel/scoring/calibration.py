"""From the scores of normal images to p-values, and to thresholds with a known rate of false alarms.

    p = (1 + number of normal images that score at least as much) / (1 + number of normal images)

If an image is as the normal ones are, drawn from the same source and not used in training, then p <= a happens with a
probability of at most a, whatever the score is (a conformal p-value). So calling images with p <= a anomalous gives
false alarms at a rate of at most a.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from nextpixel.errors import InputError


class Calibration:
    """The scores of held-out normal images.

    Args:
        by: name of the score.
        scores: `[N]`, in which more is stranger.

    Attributes:
        by: as given.
        scores: as given, in ascending order.
    """

    def __init__(self, by: str, scores: NDArray[np.float64]) -> None:
        self.by, self.scores = by, np.sort(scores)

    def p_values(self, scores: NDArray[np.float64]) -> NDArray[np.float64]:
        """The p-value of each score, `[N]`."""
        as_strange = len(self.scores) - np.searchsorted(self.scores, scores, side="left")
        p_values: NDArray[np.float64] = (1 + as_strange) / (1 + len(self.scores))
        return p_values

    def threshold(self, rate: float) -> float:
        """The score above which an image is called anomalous at a rate of false alarms.

        Raises:
            InputError: see `check_rate`.
        """
        self.check_rate(rate)
        # p <= rate where at most so many normal images score at least as much.
        strange = math.floor(rate * (1 + len(self.scores)) + 1e-9) - 1
        if strange >= len(self.scores):
            return -math.inf
        return float(self.scores[len(self.scores) - 1 - strange])

    def check_rate(self, rate: float) -> None:
        """Refuse a rate that cannot be had.

        Raises:
            InputError: it is not between 0 and 1, or there are too few normal images for it.
        """
        if not 0 < rate < 1:
            raise InputError(f"the rate of false alarms must be between 0 and 1, not {rate}")
        if rate * (1 + len(self.scores)) < 1 - 1e-9:
            raise InputError(
                f"{len(self.scores)} normal images cannot tell a rate of false alarms of {rate:g}; "
                f"give at least {math.ceil(1 / rate - 1e-9) - 1}"
            )

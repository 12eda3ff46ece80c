"""What a step does as a function of the seed, the step and the progress: learning rate, images, noise."""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from nextpixel.training.settings import TrainingSettings


def learning_rate(settings: TrainingSettings, step: int, progress: float, part_of_steps: float | None = None) -> float:
    """Linear warm-up by steps, times a cosine that falls from 1 to 0 as `progress` goes from 0 to 1.

    The warm-up ends with the first tenth of the run, if its steps are more than that: short runs learn too.

    Args:
        settings: of the run.
        step: how many steps were taken before.
        progress: part of the run that is done, by steps or by the clock.
        part_of_steps: part of its steps that is done, where a clock says something else: a network that is compiled in
            the first step takes much of a short run for it, and the weights have hardly moved.
    """
    part = progress if part_of_steps is None else part_of_steps
    warm = min(1.0, max((step + 1) / (settings.warmup + 1), 10 * part))
    return settings.learning_rate * warm * 0.5 * (1 + math.cos(math.pi * min(1.0, progress)))


def step_indices(seed: int, step: int, batch_size: int, count: int) -> NDArray[np.int64]:
    """The images of a step: `[batch_size]` indices into a set of `count`.

    The permutations of all epochs stand in one endless row, of which step s takes the s-th piece: every image is used
    equally often, and no piece is dropped at the end of an epoch.
    """
    position = np.arange(step * batch_size, (step + 1) * batch_size)
    epochs = position // count
    pieces = [_permutation(seed, int(epoch), count)[position[epochs == epoch] % count] for epoch in np.unique(epochs)]
    return np.concatenate(pieces)


def step_seed(seed: int, step: int, place: int = 0) -> int:
    """Seed of the noise (dropout) for a part of the images of a step, of which the first is the `place`-th."""
    words = [seed, step, place] if place else [seed, step]
    return int(np.random.SeedSequence(words).generate_state(1, np.uint64)[0] >> np.uint64(1))


@lru_cache(maxsize=2)
def _permutation(seed: int, epoch: int, count: int) -> NDArray[np.int64]:
    """The order of the images in an epoch; a run asks for the same one at every step of it."""
    return np.random.default_rng([seed, epoch]).permutation(count)

"""Fitting a local model to pictures: changes of its weights that save more bits than they take.

Adam walks on random pixels of the pictures; after every step each weight is drawn back to where it was, by as much as a
bit of its change costs (`nextpixel.codec.proximal_adam`, with the cost of an integer taken as
`RATE * log2(1 + |change| / step)` bits). What remains is rounded to steps, and travels with the file
(`nextpixel.codec.adaptation`). The first efforts change fewer weights, and none.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from nextpixel.codec.adaptation import MOST, Adaptation, Change
from nextpixel.codec.proximal_adam import ProximalAdam
from nextpixel.families.local_pixelcnn import LocalPixelCNN
from nextpixel.runtime.progress import Advance

DEFAULT_EFFORT, MOST_EFFORT = 5, 9
EXPONENTS = {1: 6, 2: 7}
"""A step of a change is 2^-exponent, by the number of dimensions: that of a weight matrix is half of that of a bias."""

SHORT = 1024
"""Pixels of a short step."""

STEADY = 0.6
"""The part of the steps at the full learning rate; afterwards it falls in a line."""

RATE = 8.0
DEAD_ZONE = 0.6
"""Changes of fewer steps than this are dropped."""


class Effort(NamedTuple):
    """What is changed, and for how long.

    Attributes:
        steps: of Adam, for pictures of up to `USUAL_PIXELS`; see `walk`.
        parts: beginnings and endings of the names of the parameters that change; None for all of them.
        pixels: that a step looks at. Steps of few pixels lead further in the same time at first; later their chance is
            what keeps a long walk from its end.
        rate: of learning.
    """

    steps: int
    parts: tuple[str, ...] | None = None
    pixels: int = 4096
    rate: float = 3e-3

    def changes(self, name: str) -> bool:
        """Whether a parameter changes."""
        return self.parts is None or any(name.startswith(part) or name.endswith(part) for part in self.parts)


EFFORTS = {
    1: Effort(0),
    2: Effort(100, ("bias",)),
    3: Effort(200, ("bias",)),
    4: Effort(200, ("bias", "output.")),
    5: Effort(500, pixels=SHORT, rate=2e-3),
    6: Effort(600, pixels=2 * SHORT, rate=2e-3),
    7: Effort(1000, pixels=2 * SHORT, rate=2e-3),
    8: Effort(1300),
    9: Effort(2500),
}

USUAL_PIXELS = 768 * 512
"""More pixels get as many more steps, so that fitting has the same part of the time of coding."""

MOST_TIMES = 4
"""So many times as many at most: beyond, more steps save next to nothing."""

MOST_IN_ORDER = 2**23
"""More pixels are drawn independently of each other, as their numbers take much memory."""

LONG = 2**20
"""A walk over more pixels than so many takes half as many steps of twice as many, if its steps are short."""


def walk(effort: int, count: int) -> Effort:
    """What an effort does for so many pixels."""
    plan = EFFORTS[effort]
    steps = round(plan.steps * min(max(1.0, count / USUAL_PIXELS), MOST_TIMES))
    if plan.pixels == SHORT and steps * SHORT > LONG:
        return plan._replace(steps=steps // 2, pixels=2 * SHORT)
    return plan._replace(steps=steps)


@dataclass(frozen=True)
class Pixels:
    """Pixels of pictures, from which random ones are taken.

    Attributes:
        windows: of pixels by their numbers `[N]`, uint8 or float `[N, n, C]`.
        values: of pixels by their numbers, uint8 `[N, C]`.
        coded: of pixels by their numbers, how many of their colours are coded, int64 `[N]`.
        count: how many pixels there are.
        sub_pixels: how many sub-pixels are coded in all.
    """

    windows: Callable[[Tensor], Tensor]
    values: Callable[[Tensor], Tensor]
    coded: Callable[[Tensor], Tensor]
    count: int
    sub_pixels: int


def nats(model: LocalPixelCNN, pixels: Pixels, numbers: Tensor) -> Tensor:
    """Nats of the coded colours of some pixels, `[N, C]`; 0 for those that are not coded."""
    values = pixels.values(numbers)
    is_coded = torch.arange(values.shape[1]) < pixels.coded(numbers)[:, None]
    return -model.log_prob_at(pixels.windows(numbers), values) * is_coded


def drawn(count: int, size: int) -> Iterator[Tensor]:
    """Numbers of random pixels, so many at a time, for ever; each is drawn once before any is drawn again.

    Of very many pixels, of which hardly any would be drawn twice, they are drawn independently.

    Args:
        count: of the pixels.
        size: how many are drawn together.

    Yields:
        int64 `[size]`.
    """
    random = np.random.default_rng(0)
    waiting = np.zeros(0, np.int64)
    while count > MOST_IN_ORDER:
        yield torch.from_numpy(random.integers(0, count, size))
    while True:
        if (missing := size - len(waiting)) > 0:
            orders = np.tile(np.arange(count), (-(-missing // count), 1))
            waiting = np.concatenate([waiting, random.permuted(orders, axis=1).ravel()])
        yield torch.from_numpy(waiting[:size])
        waiting = waiting[size:]


def fit(model: LocalPixelCNN, pixels: Pixels, effort: int, *, advance: Advance | None = None) -> Adaptation:
    """Find changes of a model's weights that suit pixels.

    Args:
        model: the model, which is not changed.
        pixels: of the pictures.
        effort: one of `EFFORTS`.
        advance: called with numbers of steps done.
    """
    plan = walk(effort, pixels.count)
    if not plan.steps or not pixels.count:
        return {}
    model = copy.deepcopy(model).train()
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(plan.changes(name))
    names = [name for name, parameter in model.named_parameters() if parameter.requires_grad]
    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    exponents = [EXPONENTS[parameter.ndim] for parameter in parameters]
    optimizer = ProximalAdam(parameters, [2.0**-exponent for exponent in exponents], RATE / pixels.sub_pixels)
    batches = drawn(pixels.count, plan.pixels)
    # Bits of a sub-pixel.
    scale = 1 / (plan.pixels * pixels.sub_pixels / pixels.count * math.log(2))
    with torch.enable_grad():
        for step in range(plan.steps):
            torch.autograd.backward(nats(model, pixels, next(batches)).sum() * scale)
            left = (1 - step / plan.steps) / (1 - STEADY)
            optimizer.update(plan.rate * min(1.0, max(0.02, left)))
            if advance is not None:
                advance(1)
    changes = {}
    for name, exponent, change in zip(names, exponents, optimizer.changes(), strict=True):
        rounded = torch.where(change.abs() < DEAD_ZONE, 0.0, change.round()).clamp(-MOST, MOST)
        if rounded.any():
            changes[name] = Change(rounded.long().numpy(), exponent)
    return changes

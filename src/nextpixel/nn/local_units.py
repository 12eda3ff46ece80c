"""Values measured by their neighbourhood: the mean and the deviation of the nearest known pixels.

A smooth sky and a noisy meadow look alike in such units, so a small network learns one thing where it would have to
learn many. With n nearest values v of a colour, all of them integers:

    S = sum of v                     mean = S / n
    D = sum of |n v - S|             deviation = floor + 2 D / n^2
    step = round(8 log2(deviation / floor))

and the deviation is taken in steps of an eighth of an octave, `floor * 2^(step / 8)`: a small table, which integers can
look up as well.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from nextpixel.nn.local_window import STEPS_AN_OCTAVE, floor_of


class LocalUnits(NamedTuple):
    """The units of a neighbourhood, for each colour.

    Attributes:
        mean: in levels.
        step: float, whole numbers.
        deviation: in levels.
    """

    mean: Tensor
    step: Tensor
    deviation: Tensor


def local_units(nearest: Tensor, levels: int) -> LocalUnits:
    """The units that the nearest values give.

    Args:
        nearest: floats in 0..levels-1, `[..., n, C]`.
        levels: values that a sub-pixel can take.

    Returns:
        Tensors `[..., C]`.
    """
    count = nearest.shape[-2]
    total = nearest.sum(dim=-2)
    spread = (count * nearest - total.unsqueeze(-2)).abs().sum(dim=-2)
    floor = floor_of(levels)
    step = (STEPS_AN_OCTAVE * torch.log2(1 + spread * (2 / (count**2 * floor)))).round()
    return LocalUnits(total / count, step, floor * torch.exp2(step / STEPS_AN_OCTAVE))

"""The families that have a program."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

import numpy as np

from nextpixel.errors import ModelError
from nextpixel.plan.integers import LEAST_WEIGHT_BITS, MOST_RANGE_BITS, NARROW_LIMIT, WIDE_LIMIT
from nextpixel.plan.lowering.gated import lower_gated, ranges_of_gated
from nextpixel.plan.lowering.residual import (
    DIAGONAL_BILSTM,
    PIXELCNN,
    ROW_LSTM,
    lower_residual,
    ranges_of_residual,
)
from nextpixel.plan.operations import Program
from nextpixel.plan.stored_model import StoredModel


class Lowering(NamedTuple):
    """How a family becomes a program.

    Attributes:
        ranges: how many ranges of activations a model has.
        lower: the program of a model, of ranges, and of the limits of sums and of those of the head.
    """

    ranges: Callable[[StoredModel], int]
    lower: Callable[[StoredModel, Sequence[int], float, float], Program]


LOWERINGS = {
    "gated-pixelcnn": Lowering(ranges_of_gated, lower_gated),
    **{
        name: Lowering(partial(ranges_of_residual, frame), partial(lower_residual, frame))
        for name, frame in (("pixelcnn", PIXELCNN), ("row-lstm", ROW_LSTM), ("diagonal-bilstm", DIAGONAL_BILSTM))
    },
}


def lower(model: StoredModel, ranges: Sequence[int], *, wide_head: bool) -> Program:
    """The program of a model.

    Args:
        model: of a family in `LOWERINGS`, without a condition or conditioned on labels.
        ranges: bits of the integer parts of its activations.
        wide_head: whether float64 always carries the head. Its sums are the largest of a network, so that float32
            leaves some weights of a trained one only 4 bits, which costs up to 9 %. False for files of version 1.

    Raises:
        ModelError: the ranges are not this model's, or its weights are not finite, too large, or not those described.
    """
    lowering = LOWERINGS[model.family]
    if not all(np.isfinite(weight).all() for weight in model.weights.values()):
        raise ModelError("the weights of the model are not finite numbers; train it anew")
    if len(ranges) != lowering.ranges(model) or not all(0 <= bits <= MOST_RANGE_BITS for bits in ranges):
        raise ModelError("the ranges of the activations do not fit the model")
    program = lowering.lower(model, ranges, NARROW_LIMIT, WIDE_LIMIT if wide_head else NARROW_LIMIT)
    # Weights of a few bits only would cost too much; float64 has room for more.
    if program.least_bits < LEAST_WEIGHT_BITS:
        program = lowering.lower(model, ranges, WIDE_LIMIT, WIDE_LIMIT)
    if program.least_bits < 0:
        raise ModelError("the weights of the model are too large to compress with; it has diverged: train it anew")
    return program

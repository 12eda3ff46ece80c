"""The families that have a program."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

import numpy as np

from nextpixel.errors import ModelError
from nextpixel.plan.integers import LEAST_WEIGHT_BITS, MOST_RANGE_BITS, NARROW_LIMIT, WIDE_LIMIT
from nextpixel.plan.lowering.builder import Builder
from nextpixel.plan.lowering.floats import FloatBuilder
from nextpixel.plan.lowering.gated import lower_gated
from nextpixel.plan.lowering.integers import IntegerBuilder
from nextpixel.plan.lowering.residual import lower_convolutions, lower_diagonal, lower_residual, lower_row_lstm
from nextpixel.plan.operations import Program
from nextpixel.plan.stored_model import TURNED, StoredModel

Lowering = Callable[[Builder], Program]
"""Adds the operations of a family's models, and gives the program."""

LOWERINGS: dict[str, Lowering] = {
    "gated-pixelcnn": lower_gated,
    "pixelcnn": partial(lower_residual, core=lower_convolutions),
    "row-lstm": partial(lower_residual, core=lower_row_lstm),
    "diagonal-bilstm": partial(lower_residual, core=lower_diagonal, beyond=1),
}


def lower_floats(lowering: Lowering, model: StoredModel, places: int) -> Program:
    """The program of a model in floats.

    Args:
        lowering: of its family.
        model: the model.
        places: channels of what its conditions give to places; 0 without.
    """
    return lowering(FloatBuilder(model, places))


def has_program(model: StoredModel) -> bool:
    """Whether a model, or the one inside a turned one, is of a family that has a program."""
    return (model.option("inner") if model.family == TURNED else model.family) in LOWERINGS


def lower_roomy(model: StoredModel) -> tuple[Program, list[str]]:
    """The program of a model in which no activation reaches its bound, to measure how large they are.

    Returns:
        The program, and the names of the maps whose bounds the ranges are, in their order.

    Raises:
        ModelError: its weights are not finite or too large.
    """
    upright = model.upright
    lowering = LOWERINGS[upright.family]
    _check_finite(model)
    probe = FloatBuilder(upright)
    lowering(probe)
    builder = IntegerBuilder(upright, [MOST_RANGE_BITS] * len(probe.measured), WIDE_LIMIT, WIDE_LIMIT)
    return replace(_within_float64(lowering(builder)), side=model.side), builder.measured


def lower(model: StoredModel, ranges: Sequence[int], *, wide_head: bool) -> Program:
    """The program of a model.

    Args:
        model: one that `has_program`, without a condition or conditioned on labels.
        ranges: bits of the integer parts of its activations.
        wide_head: whether float64 always carries the head. Its sums are the largest of a network, so that float32
            leaves some weights of a trained one only 4 bits, which costs up to 9 %. False for files of version 1.

    Raises:
        ModelError: the ranges are not this model's, or its weights are not finite, too large, or not those described.
    """
    upright = model.upright
    lowering = LOWERINGS[upright.family]

    def lowered(limit: float, head_limit: float) -> Program:
        builder = IntegerBuilder(upright, ranges, limit, head_limit)
        program = lowering(builder)
        if len(builder.measured) != len(ranges):
            raise ModelError("the ranges of the activations do not fit the model")
        return program

    _check_finite(model)
    if not all(0 <= bits <= MOST_RANGE_BITS for bits in ranges):
        raise ModelError("the ranges of the activations do not fit the model")
    program = lowered(NARROW_LIMIT, WIDE_LIMIT if wide_head else NARROW_LIMIT)
    # Weights of a few bits only would cost too much; float64 has room for more.
    if program.least_bits < LEAST_WEIGHT_BITS:
        program = lowered(WIDE_LIMIT, WIDE_LIMIT)
    return replace(_within_float64(program), side=model.side)


def _check_finite(model: StoredModel) -> None:
    if not all(np.isfinite(weight).all() for weight in model.weights.values()):
        raise ModelError("the weights of the model are not finite numbers; train it anew")


def _within_float64(program: Program) -> Program:
    if program.least_bits < 0:
        raise ModelError("the weights of the model are too large to compress with; it has diverged: train it anew")
    return program

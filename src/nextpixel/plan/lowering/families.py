"""The families that have a program."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Protocol

import numpy as np

from nextpixel.errors import ModelError
from nextpixel.plan.consistency import check_consistent, other_weights
from nextpixel.plan.integers import LEAST_WEIGHT_BITS, MOST_RANGE_BITS, NARROW_LIMIT, WIDE_LIMIT
from nextpixel.plan.lowering.builder import Builder
from nextpixel.plan.lowering.floats import FloatBuilder
from nextpixel.plan.lowering.gated import lower_gated
from nextpixel.plan.lowering.integers import OTHER_RANGES, IntegerBuilder
from nextpixel.plan.lowering.residual import lower_convolutions, lower_diagonal, lower_residual, lower_row_lstm
from nextpixel.plan.operations import Program, Smaller
from nextpixel.plan.stored_model import Network, StoredModel
from nextpixel.runtime.one_line import one_line


class Lowering(Protocol):
    """The lowering of a family."""

    def __call__(self, builder: Builder) -> Program:
        """Add the operations of a model to its program, and give it."""


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
    """Whether a model, or those inside it, are of families that have a program."""
    return all(network.model.family in LOWERINGS for network in model.networks)


def lower_roomy(model: StoredModel) -> tuple[Program, list[list[str]]]:
    """The program of a model in which no activation reaches its bound, to measure how large they are.

    Returns:
        The program, and for each of its scales the names of what the ranges are of, in their order: first layers of
        the enlargement, then maps.

    Raises:
        ModelError: its weights are not finite or too large.
    """
    measured: list[list[str]] = []

    def lowered(network: Network, smaller: Program | None) -> Program:
        builder = IntegerBuilder(network.model, None, WIDE_LIMIT, WIDE_LIMIT)
        measured.append(builder.measured)
        return _lowered(builder, network, smaller)

    return _of_scales(model, lowered), measured


def lower(model: StoredModel, ranges: Sequence[int], *, wide_head: bool) -> Program:
    """The program of a model.

    Args:
        model: one that `has_program`, without a condition or conditioned on labels.
        ranges: bits of the integer parts of its activations, scale after scale.
        wide_head: whether float64 always carries the head. Its sums are the largest of a network, so that float32
            leaves some weights of a trained one only 4 bits, which costs up to 9 %. False for files of version 1.

    Raises:
        ModelError: the ranges are not this model's, or its weights are not finite, too large, or not those described.
    """
    used = 0

    def lowered(network: Network, smaller: Program | None) -> Program:
        nonlocal used
        here = ranges[used:]
        builder = IntegerBuilder(network.model, here, NARROW_LIMIT, WIDE_LIMIT if wide_head else NARROW_LIMIT)
        program = _lowered(builder, network, smaller)
        used += len(builder.measured)
        # Weights of a few bits only would cost too much; float64 has room for more.
        if program.least_bits < LEAST_WEIGHT_BITS:
            program = _lowered(IntegerBuilder(network.model, here, WIDE_LIMIT, WIDE_LIMIT), network, smaller)
        return program

    if not all(0 <= bits <= MOST_RANGE_BITS for bits in ranges):
        raise ModelError(OTHER_RANGES)
    program = _of_scales(model, lowered)
    if used != len(ranges):
        raise ModelError(OTHER_RANGES)
    return program


def _of_scales(model: StoredModel, lowered: Callable[[Network, Program | None], Program]) -> Program:
    """The program of a model's networks, each of which is lowered after that of the next smaller image."""
    if not all(np.isfinite(weight).all() for weight in model.weights.values()):
        raise ModelError("the weights of the model are not finite numbers; train it anew")
    program: Program | None = None
    for network in model.networks:
        try:
            program = lowered(network, program)
        except (ValueError, IndexError) as error:
            # That is what NumPy raises where the shapes of weights do not fit each other.
            raise other_weights("the model", one_line(error)) from error
        check_consistent(program, max(1, network.model.classes))
        if program.least_bits < 0:
            raise ModelError("the weights of the model are too large to compress with; it has diverged: train it anew")
    assert program is not None
    return replace(program, side=model.side)


def _lowered(builder: IntegerBuilder, network: Network, smaller: Program | None) -> Program:
    """A network, lowered by a builder of its own."""
    layers = builder.enlarge(network.enlargement) if network.enlargement is not None else ()
    program = LOWERINGS[network.model.family](builder)
    return replace(program, stride=network.stride, smaller=None if smaller is None else Smaller(smaller, layers))

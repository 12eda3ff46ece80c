"""When the operations of a program can be computed, if images are gone through row by row.

    above   from finished rows alone: once a row, for all of it, before its first pixel
    step    once a sub-pixel, for the channels of its colour
    late    only when all values of the row are known: once a row, from behind, for the rows below

Which of them an operation is follows from what it reads, and from the zeros of its weights.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum

import numpy as np

from nextpixel.nn.masks import ChannelGroups
from nextpixel.plan.operations import Cell, Given, Image, Operation, Program, Shift, Summing, Tap


class Phase(Enum):
    """When an operation is computed."""

    ABOVE = "once a row, before its first pixel"
    STEP = "once a sub-pixel"
    LATE = "once a row, after its last pixel"


def phases(program: Program) -> dict[str, Phase]:
    """The phase of each operation, by the name of its map."""
    known: dict[str, Phase] = {}
    for operation in program.operations:
        known[operation.name] = _phase(program, operation, known)
    return known


def _phase(program: Program, operation: Operation, known: Mapping[str, Phase]) -> Phase:
    if isinstance(operation, Image):
        return Phase.STEP
    if isinstance(operation, Shift | Given):
        return Phase.ABOVE
    if isinstance(operation, Cell) and any(tap.column > 0 for tap in operation.taps if tap.row == 0):
        return Phase.LATE
    needs = [Phase.STEP] if isinstance(operation, Cell) else []
    if isinstance(operation, Summing):
        for part in operation.parts:
            source = program.by_name[part.source]
            needs += [_phase_of_tap(tap, source, operation, known[part.source]) for tap in part.taps if tap.row == 0]
    else:
        needs += [known[source] for source in operation.sources]
    if Phase.LATE in needs:
        return Phase.LATE
    return Phase.STEP if Phase.STEP in needs else Phase.ABOVE


def _phase_of_tap(tap: Tap, source: Operation, operation: Operation, phase: Phase) -> Phase:
    """The phase that reading a map in the pixel's own row asks for."""
    if phase != Phase.STEP or tap.column < 0:
        return phase
    groups = operation.groups.repeat(4) if isinstance(operation, Cell) else operation.groups
    return Phase.LATE if tap.column > 0 or sees_later_colours(tap, source.groups, groups) else phase


def sees_later_colours(tap: Tap, inputs: ChannelGroups, outputs: ChannelGroups) -> bool:
    """Whether a connection at the pixel itself goes from a later colour to an earlier one."""
    later = np.array(inputs.colours)[None, :] > np.array(outputs.colours)[:, None]
    return bool((tap.weight[later] != 0).any())

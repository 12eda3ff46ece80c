"""What models that are made of other models hand on to them of their own conditions."""

from __future__ import annotations

import math
from typing import Any

from torch import Tensor

from nextpixel.errors import ModelError
from nextpixel.nn.conditioning import Context, ContextSizes
from nextpixel.nn.conditions import Condition, Map, Vector

INNER = ("diagonal-bilstm", "gated-pixelcnn", "pixelcnn", "row-lstm")


def check_inner(family: Any) -> str:
    """The name of a family that can stand inside another one.

    Raises:
        ModelError: it is none.
    """
    if family not in INNER:
        raise ModelError(f"inner must be one of {', '.join(INNER)}, not {family!r}")
    return str(family)


def inner_conditions(sizes: ContextSizes | None, size: tuple[int, int]) -> dict[str, Condition]:
    """The conditions of a model inside, whose images have a size, for a context of the outer one."""
    conditions: dict[str, Condition] = {}
    if sizes is not None and sizes.vector:
        conditions["vector"] = Vector(sizes.vector)
    if sizes is not None and sizes.places:
        conditions["places"] = Map(sizes.places, size)
    return conditions


def inner_values(context: Context | None, sizes: ContextSizes | None) -> dict[str, Tensor]:
    """The values of those conditions, of which each number has a deviation of about 1, as those of vectors have."""
    values = {}
    if context is not None and sizes is not None and context.vector is not None:
        values["vector"] = context.vector * math.sqrt(sizes.vector / sizes.square)
    if context is not None and context.places is not None:
        values["places"] = context.places
    return values

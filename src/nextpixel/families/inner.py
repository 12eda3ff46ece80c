"""What models that are made of other models hand on to them of their own conditions."""

from __future__ import annotations

import math

from torch import Tensor

from nextpixel.families.base import ImageModel
from nextpixel.families.build import build
from nextpixel.families.configs import CompositeConfig
from nextpixel.nn.conditioning import Context, ContextSizes
from nextpixel.nn.conditions import Condition, Map, Vector


def build_inner(
    config: CompositeConfig, image_shape: tuple[int, int, int], levels: int, conditions: dict[str, Condition]
) -> ImageModel:
    """A model to stand inside another one.

    Args:
        config: of the outer one.
        image_shape: of the model inside.
        levels: values that a sub-pixel can take.
        conditions: of the model inside, by name.
    """
    options = config.inner_config.describe()
    return build(config.inner, image_shape=image_shape, levels=levels, condition=conditions or None, **options)


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

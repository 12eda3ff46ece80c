"""Building a model by the name of its family."""

from __future__ import annotations

import inspect
from importlib import import_module
from typing import Any

from nextpixel.errors import ModelError
from nextpixel.families.base import ImageModel
from nextpixel.families.registry import FAMILIES, models
from nextpixel.nn.conditions import Specification


def family_class(family: str) -> type[ImageModel]:
    """The class of a family.

    Raises:
        ModelError: there is no family of this name.
    """
    if family not in FAMILIES:
        raise ModelError(f"there is no model {family!r}; the models are {', '.join(models())}")
    module, name = FAMILIES[family].path.split(":")
    found: type[ImageModel] = getattr(import_module(module), name)
    return found


def build(
    family: str,
    *,
    image_shape: tuple[int, int, int],
    levels: int = 256,
    condition: Specification | None = None,
    **options: Any,
) -> ImageModel:
    """Build an untrained model.

    Args:
        family: one of `nextpixel.models()`.
        image_shape: `(C, H, W)`, 1 to 4 channels, any height and width from 1.
        levels: values that a sub-pixel can take, 2 to 256.
        condition: what the images depend on: `Labels`, `Vector`, `Map`, a dict of them by name, or None.
        **options: the family's own arguments, such as `features` and `layers`; see the class.

    Raises:
        ModelError: the family is unknown, or an argument is unknown or out of range.
    """
    found = family_class(family)
    parameters = inspect.signature(found).parameters
    known = [name for name in parameters if name not in ("image_shape", "levels", "condition", "inner_options")]
    unknown = sorted(set(options) - set(known))
    # A family that is made of models of another one hands on to it what it does not know itself.
    if unknown and "inner_options" not in parameters:
        raise ModelError(f"{family} has no option {unknown[0]!r}; its options are {', '.join(known)}")
    return found(image_shape, levels, condition=condition, **options)

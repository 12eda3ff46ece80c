"""Building a model by the name of its family."""

from __future__ import annotations

from importlib import import_module

from nextpixel.errors import ModelError
from nextpixel.families.base import ImageModel
from nextpixel.families.registry import VARIABLE, families
from nextpixel.nn.conditions import Specification


def family_class(name: str) -> type[ImageModel]:
    """The class of a family.

    Raises:
        ModelError: there is no family of this name.
    """
    known = families()
    if name not in known:
        raise ModelError(
            f"there is no model {name!r}; the models are {', '.join(sorted(known))}, and those of modules that were "
            f"imported or that {VARIABLE} names"
        )
    family = known[name]
    cls: type[ImageModel]
    if family.registered is not None:
        cls = family.registered
    else:
        module, _, attribute = family.path.partition(":")
        cls = getattr(import_module(module), attribute)
    return cls


def build(
    family: str,
    *,
    image_shape: tuple[int, int, int],
    levels: int = 256,
    condition: Specification | None = None,
    **options: object,
) -> ImageModel:
    """Build an untrained model.

    Args:
        family: one of `nextpixel.models()`.
        image_shape: `(C, H, W)`, 1 to 4 channels, any height and width from 1.
        levels: values that a sub-pixel can take, 2 to 256.
        condition: what the images depend on: `Labels`, `Vector`, `Map`, a dict of them by name, or None.
        **options: the family's own arguments, such as `features` and `layers`; see its config
            (`nextpixel.families.configs`).

    Raises:
        ModelError: the family is unknown, or an argument is unknown or out of range.
    """
    return family_class(family)(image_shape, levels, condition, **options)

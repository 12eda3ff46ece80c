"""Families of other packages: `nextpixel.register`."""

from __future__ import annotations

import re
from typing import TypeVar

from nextpixel.errors import ModelError
from nextpixel.families.base import ImageModel
from nextpixel.families.configs import Config
from nextpixel.families.raster_model import RasterModel
from nextpixel.families.registry import FAMILIES, Family
from nextpixel.plan.lowering.families import LOWERINGS

M = TypeVar("M", bound=type[ImageModel])


def register(cls: M) -> M:
    """Make a class of models a family, as a decorator.

    From then on `nextpixel.build`, `load`, training, the command line and the page know it by the name that its config
    has. The command line has to be told which module registers it: by an entry point of the group `nextpixel.families`
    in the package, or by `NEXTPIXEL_FAMILIES`, names of modules or of files of Python with commas between.

    Args:
        cls: a subclass of `nextpixel.ImageModel` with a `config_class`: a frozen dataclass, a subclass of
            `nextpixel.Config` with `family` and `summary`, whose fields are made by `nextpixel.option`.

    Returns:
        The class.

    Raises:
        ModelError: the class or its config lacks something, or the name is taken.
    """
    if not (isinstance(cls, type) and issubclass(cls, ImageModel)):
        raise ModelError(f"a family is a subclass of nextpixel.ImageModel, not {cls!r}")
    config = vars(cls).get("config_class")
    if not (isinstance(config, type) and issubclass(config, Config) and config is not Config):
        raise ModelError(
            f"{cls.__name__} has no config_class; give it a frozen dataclass, a subclass of nextpixel.Config"
        )
    name, summary = config.family, config.summary
    if not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", name):
        raise ModelError(f"{config.__name__}.family must be lower-case words with dashes between, not {name!r}")
    if not summary.strip() or "\n" in summary:
        raise ModelError(f"{config.__name__}.summary must say in one line what the family is, not {summary!r}")
    path = f"{cls.__module__}:{cls.__qualname__}"
    if name in FAMILIES and FAMILIES[name].path != path:
        raise ModelError(f"there is a family {name!r} already, {FAMILIES[name].path}; choose another name for {path}")
    _check_options(config)
    cls.family = name
    FAMILIES[name] = Family(path, config, cls)
    if issubclass(cls, RasterModel) and cls.lower is not RasterModel.lower:
        LOWERINGS[name] = cls.lower
    return cls


def _check_options(config: type[Config]) -> None:
    """Refuse options that the command line could not have beside those of other families."""
    others = {
        one.name: (one.kind, family)
        for family, known in FAMILIES.items()
        if family != config.family
        for one in known.config.options()
    }
    for one in config.options():
        kind, family = others.get(one.name, (one.kind, ""))
        if kind is not one.kind:
            raise ModelError(
                f"the option {one.name} of {config.__name__} is {one.kind.__name__}, that of {family} "
                f"{kind.__name__}; rename it"
            )

"""The model families by name: those of nextpixel and those that are registered. This does not import PyTorch.

A family of another package is known once the module that registers it (`nextpixel.register`) is imported. The command
line imports such modules by itself: those of installed packages that have an entry point in the group
`nextpixel.families`, and those that the environment variable `NEXTPIXEL_FAMILIES` names.
"""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from functools import lru_cache
from importlib import import_module
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

from nextpixel.errors import ModelError
from nextpixel.families.configs import (
    AutoencoderConfig,
    Config,
    DiagonalBiLSTMConfig,
    GatedPixelCNNConfig,
    LocallyMaskedConfig,
    LocalPixelCNNConfig,
    MultiscaleConfig,
    OrientedConfig,
    PixelCNNConfig,
    PixelCNNPlusPlusConfig,
    PixelSNAILConfig,
    RowLSTMConfig,
)

GROUP, VARIABLE = "nextpixel.families", "NEXTPIXEL_FAMILIES"


@dataclass(frozen=True)
class Family:
    """Where a family of models lives, and its options.

    Attributes:
        path: `module:Class` of a subclass of `nextpixel.families.base.ImageModel`.
        config: its options.
        registered: the class, of a family that was registered; None for those of nextpixel, which are imported when
            they are needed.
    """

    path: str
    config: type[Config]
    registered: type | None = None

    @property
    def summary(self) -> str:
        """One line for `nextpixel models`."""
        return self.config.summary


FAMILIES: dict[str, Family] = {
    config.family: Family(f"nextpixel.families.{path}", config)
    for path, config in (
        ("autoencoder:Autoencoder", AutoencoderConfig),
        ("pixelrnn:DiagonalBiLSTMModel", DiagonalBiLSTMConfig),
        ("gated_pixelcnn:GatedPixelCNN", GatedPixelCNNConfig),
        ("locally_masked:LocallyMasked", LocallyMaskedConfig),
        ("local_pixelcnn:LocalPixelCNN", LocalPixelCNNConfig),
        ("multiscale:Multiscale", MultiscaleConfig),
        ("pixelcnn:PixelCNN", PixelCNNConfig),
        ("pixelcnn_pp:PixelCNNPlusPlus", PixelCNNPlusPlusConfig),
        ("pixelsnail:PixelSNAIL", PixelSNAILConfig),
        ("pixelrnn:RowLSTMModel", RowLSTMConfig),
        ("oriented:Oriented", OrientedConfig),
    )
}
_imported: set[str] = set()


def families() -> dict[str, Family]:
    """All families by name, with those of installed packages and of `NEXTPIXEL_FAMILIES`.

    Raises:
        ModelError: a module that should register families cannot be imported.
    """
    named = [name.strip() for name in os.environ.get(VARIABLE, "").split(",") if name.strip()]
    for name in named:
        _import(name, f"{VARIABLE} names {name}, which cannot be imported", "mend it, or take it out")
    for family, module in _announced(tuple(sys.path)):
        _import(module, f"the package of the families {family} cannot be imported", "mend it, or uninstall it")
    return FAMILIES


@lru_cache(maxsize=1)
def _announced(_path: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
    """Names and modules of the entry points of the packages that are installed on `sys.path`.

    Kept while that stays as it is, since the metadata of every installed package are read for it: each model built
    would take 20 ms more.
    """
    # Late, since it takes longer than all else that a command needs before it knows what it is to do.
    from importlib.metadata import entry_points

    return tuple((entry.name, entry.value.partition(":")[0]) for entry in entry_points(group=GROUP))


def models() -> list[str]:
    """Names of the model families that `nextpixel.build` knows, in alphabetical order."""
    return sorted(families())


def _import(name: str, what: str, remedy: str) -> None:
    """Import a module, or a file of Python, once."""
    if name in _imported:
        return
    # Before the import: the module itself may ask for the families.
    _imported.add(name)
    try:
        if name.endswith(".py"):
            _import_file(Path(name))
        else:
            import_module(name)
    except Exception as error:
        _imported.discard(name)
        raise ModelError(f"{what} ({type(error).__name__}: {error}); {remedy}") from error


def _import_file(path: Path) -> None:
    specification = spec_from_file_location(path.stem, path)
    if path.stem in sys.modules or specification is None or specification.loader is None:
        raise ImportError(f"a module {path.stem} is there already; rename the file")
    module = module_from_spec(specification)
    # As `import` does, so that what looks a class up by its module finds it.
    sys.modules[path.stem] = module
    try:
        specification.loader.exec_module(module)
    except BaseException:
        del sys.modules[path.stem]
        raise

"""What a model can be conditioned on: labels, vectors, maps, and several of them at once.

A model is built with a *specification*: one of `Labels`, `Vector` and `Map`, or a dict of them by name. It is then
called with *values* of the same form: a tensor, or a dict of tensors by the same names. `nextpixel.nn.conditioning`
makes of the values what the layers of a network take.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any
from unicodedata import normalize

import torch
from torch import Tensor, nn

from nextpixel.errors import InputError, ModelError
from nextpixel.nn.tensors import as_tensor
from nextpixel.runtime.validation import MOST_FEATURES, MOST_SIDE, MOST_VALUES, integer

LISTED = 20
"""So many classes are listed in an error."""


class Condition(ABC):
    """One thing that images depend on."""

    @abstractmethod
    def describe(self) -> str:
        """What has to be given, as the end of a sentence."""

    @abstractmethod
    def checked(self, value: object) -> Tensor:
        """The value as a tensor `[B, ...]`, or `[1, ...]` where one was given for all images.

        Raises:
            InputError: it does not fit.
        """

    @abstractmethod
    def random(self, count: int, generator: torch.Generator) -> Tensor:
        """Any `count` values that fit."""


Specification = Condition | Mapping[str, Condition]
Values = Tensor | dict[str, Tensor]


@dataclass(frozen=True)
class Labels(Condition):
    """One of several classes; the network sees it as a one-hot vector. Values are integers `[B]` in 0..count-1.

    Attributes:
        count: number of classes.
        names: their names, if they have any; the command line takes and shows them.

    Raises:
        ModelError: the number is less than 1, or there are more or fewer names, or two alike.
    """

    count: int
    names: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        """Check and convert.

        Raises:
            ModelError: see above.
        """
        object.__setattr__(self, "count", integer("the number of labels", self.count, 1, MOST_VALUES))
        if self.names is not None:
            if isinstance(self.names, str) or not isinstance(self.names, Sequence):
                raise ModelError(f"the names of labels must be a list of texts, not {self.names!r}")
            object.__setattr__(self, "names", tuple(map(str, self.names)))
            if len(set(self.names)) != self.count or len(self.names) != self.count:
                raise ModelError(f"{self.count} labels need as many different names, not {list(self.names)}")

    @property
    def listed(self) -> str:
        """The classes, for people."""
        if self.names is None:
            return f"0..{self.count - 1}"
        numbered = not any(map(is_number, self.names))
        shown = ", ".join(f"{i} {name}" if numbered else name for i, name in enumerate(self.names[:LISTED]))
        return shown if self.count <= LISTED else f"{shown} and {self.count - LISTED} more"

    def number(self, name: str) -> int:
        """The label that a name stands for; or its number as text, where no name is a number.

        Raises:
            InputError: there is no such class.
        """
        places, numbered = _places(self.names or ())
        if (place := places.get(normalize("NFC", name))) is not None:
            return place
        # Among names that are numbers a number is a name, and never a place in the list.
        if is_number(name) and not numbered and str(int(name)) == name and 0 <= int(name) < self.count:
            return int(name)
        raise InputError(f"there is no class {name!r}; the classes are {self.listed}")

    def describe(self) -> str:  # noqa: D102
        return f"a label for each image, one of the classes {self.listed}"

    def checked(self, value: object) -> Tensor:  # noqa: D102
        labels = as_tensor(value, "labels")
        if labels.dtype.is_floating_point or labels.dtype.is_complex or labels.dtype == torch.bool:
            raise InputError(f"labels must be integers, not {labels.dtype}")
        labels = labels.long().reshape(1) if labels.ndim == 0 else labels.long()
        if labels.ndim != 1:
            raise InputError(f"labels must have the shape [B], not {list(labels.shape)}")
        if labels.numel() and not torch.compiler.is_compiling():
            wrong = labels[(labels < 0) | (labels >= self.count)]
            if len(wrong):
                raise InputError(f"there is no class {int(wrong[0])}; the classes are {self.listed}")
        return labels

    def random(self, count: int, generator: torch.Generator) -> Tensor:  # noqa: D102
        return torch.randint(self.count, (count,), generator=generator)


@dataclass(frozen=True)
class Vector(Condition):
    """Numbers that belong to the whole image, such as an embedding. Values are floats `[B, size]`.

    Attributes:
        size: how many numbers.

    Raises:
        ModelError: it is less than 1.
    """

    size: int

    def __post_init__(self) -> None:
        object.__setattr__(self, "size", integer("the size of a vector", self.size, 1, MOST_VALUES))

    def describe(self) -> str:  # noqa: D102
        return f"a vector of {self.size} numbers for each image"

    def checked(self, value: object) -> Tensor:  # noqa: D102
        return _floats(value, (self.size,), "vectors")

    def random(self, count: int, generator: torch.Generator) -> Tensor:  # noqa: D102
        return torch.randn(count, self.size, generator=generator)


@dataclass(frozen=True)
class Map(Condition):
    """Numbers that belong to places of the image, such as a smaller version of it. Values are `[B, channels, *size]`.

    Attributes:
        channels: how many numbers a place.
        size: height and width of the map, at most those of the image.

    Raises:
        ModelError: a number is less than 1.
    """

    channels: int
    size: tuple[int, int]

    def __post_init__(self) -> None:
        object.__setattr__(self, "channels", integer("the channels of a map", self.channels, 1, MOST_FEATURES))
        if not isinstance(self.size, Sequence) or len(self.size) != 2:
            raise ModelError(f"the size of a map must be (height, width), not {self.size!r}")
        object.__setattr__(self, "size", tuple(integer("a side of a map", side, 1, MOST_SIDE) for side in self.size))

    def describe(self) -> str:  # noqa: D102
        return f"a map of {self.channels} x {self.size[0]} x {self.size[1]} numbers for each image"

    def checked(self, value: object) -> Tensor:  # noqa: D102
        return _floats(value, (self.channels, *self.size), "maps")

    def random(self, count: int, generator: torch.Generator) -> Tensor:  # noqa: D102
        return torch.randn(count, self.channels, *self.size, generator=generator)


def is_number(name: str) -> bool:
    """Whether the name of a class is a number."""
    return name.isascii() and name.removeprefix("-").isdigit()


@lru_cache(maxsize=16)
def _places(names: tuple[str, ...]) -> tuple[dict[str, int], bool]:
    """The places of names, however their accents are written; and whether one of them is a number."""
    return {normalize("NFC", name): place for place, name in enumerate(names)}, any(map(is_number, names))


def named(specification: Specification | None) -> dict[str, Condition]:
    """The conditions by name; a single one is called after its kind.

    Raises:
        ModelError: the specification is none.
    """
    if specification is None:
        return {}
    if isinstance(specification, Condition):
        return {type(specification).__name__.lower(): specification}
    if not isinstance(specification, Mapping) or not specification:
        raise ModelError(f"condition must be Labels, Vector, Map or a dict of them by name, not {specification!r}")
    for name, kind in specification.items():
        if not isinstance(name, str) or not name.isidentifier() or not isinstance(kind, Condition):
            raise ModelError(f"condition must name Labels, Vector or Map by words, not {name!r}: {kind!r}")
        if hasattr(nn.ModuleDict, name) or name == "training":
            raise ModelError(f"a condition cannot be called {name!r}, which means something else; choose another name")
    return dict(specification)


def checked_values(specification: Specification | None, values: object, count: int) -> dict[str, Tensor]:
    """The values by name, each `[count, ...]`. A single condition may also be given by its name.

    Raises:
        InputError: some are missing, superfluous, or do not fit.
    """
    conditions = named(specification)
    if values is None or not conditions:
        if values is None and not conditions:
            return {}
        if not conditions:
            raise InputError("this model was built without a condition, so it takes none")
        wanted = "; ".join(kind.describe() for kind in conditions.values())
        raise InputError(f"this model needs a condition: {wanted}")
    if isinstance(specification, Condition) and not isinstance(values, Mapping):
        values = dict.fromkeys(conditions, values)
    if not isinstance(values, Mapping) or set(values) != set(conditions):
        names = ", ".join(map(str, values)) if isinstance(values, Mapping) else type(values).__name__
        wanted = "; ".join(f"{name}: {kind.describe()}" for name, kind in conditions.items())
        raise InputError(f"this model needs a dict of conditions ({wanted}), not {names or 'an empty one'}")
    checked = {}
    for name, kind in conditions.items():
        value = kind.checked(values[name])
        if len(value) not in (1, count):
            raise InputError(
                f"{len(value)} conditions {name!r} were given for {count} images; give one, or one for each"
            )
        checked[name] = value.expand(count, *value.shape[1:])
    return checked


def random_values(specification: Specification | None, count: int, generator: torch.Generator) -> dict[str, Tensor]:
    """Any values that fit, by name."""
    return {name: kind.random(count, generator) for name, kind in named(specification).items()}


def to_json(specification: Specification | None) -> object:
    """The specification as JSON can hold it; `from_json` is the other direction."""
    if specification is None:
        return None
    if isinstance(specification, Mapping):
        return {"several": {name: to_json(kind) for name, kind in specification.items()}}
    # Lists, as JSON would make of tuples: a description that was stored and read is equal to a new one.
    arguments = {
        name: list(argument) if isinstance(argument, tuple) else argument
        for name, argument in vars(specification).items()
    }
    return {"kind": type(specification).__name__, **arguments}


def from_json(description: Any) -> Specification | None:
    """The specification that `to_json` described.

    Raises:
        ModelError: the description is none of its.
    """
    kinds: dict[str, type[Condition]] = {kind.__name__: kind for kind in (Labels, Vector, Map)}
    if description is None:
        return None
    try:
        if "several" in description:
            several = {name: from_json(kind) for name, kind in description["several"].items()}
            return {name: kind for name, kind in several.items() if isinstance(kind, Condition)}
        arguments = dict(description)
        return kinds[arguments.pop("kind")](**arguments)
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise ModelError(f"the description of a condition cannot be read: {description!r}") from error


def _floats(value: object, shape: tuple[int, ...], what: str) -> Tensor:
    numbers = as_tensor(value, what)
    if numbers.dtype.is_complex or numbers.dtype == torch.bool:
        raise InputError(f"{what} must be real numbers, not {numbers.dtype}")
    if numbers.ndim == len(shape):
        numbers = numbers[None]
    if tuple(numbers.shape[1:]) != shape:
        raise InputError(f"{what} must have the shape [B, {', '.join(map(str, shape))}], not {list(numbers.shape)}")
    if not numbers.dtype.is_floating_point:
        numbers = numbers.float()
    if not torch.compiler.is_compiling() and not numbers.float().isfinite().all():
        raise InputError(f"{what} hold values that are not finite numbers")
    return numbers

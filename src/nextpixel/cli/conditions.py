"""`--label`, `--vector` and `--to`: the conditions that generated images are to have."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from cyclopts import Parameter

from nextpixel.errors import InputError

if TYPE_CHECKING:
    from torch import Tensor

    from nextpixel.families.base import ImageModel
    from nextpixel.nn.conditions import Labels, Vector

EVERY_CLASS = "all"


@Parameter(name="*", group="Condition")
@dataclass(frozen=True, kw_only=True)
class ConditionOptions:
    """What a conditional model is asked for.

    Attributes:
        label: Class, by name or number. `sample` also takes several, or all for every class, and draws a row of each.
        vector: .npy or .npz of one vector. `sample` also takes several, and draws a row of each.
        to: A second vector, of `sample` alone: its images go from --vector to this one in even steps.
    """

    label: list[str] | None = None
    vector: Path | None = None
    to: Path | None = None

    def one(self, model: ImageModel) -> dict[str, Tensor]:
        """The values of all conditions for what is of one class and has one vector, `[1, ...]` by name.

        Raises:
            InputError: an option is missing, superfluous, given several times, or does not fit the model.
        """
        if self.to is not None:
            raise InputError("--to makes a row of images between two vectors, which only sample does; leave it out")
        values = self.rows(model, 1, several=False)
        if any(len(row) > 1 for row in values.values()):
            raise InputError("give one --label, or one vector; all pictures are taken to have it")
        return values

    def rows(self, model: ImageModel, images: int, *, several: bool = True) -> dict[str, Tensor]:
        """The values of all conditions for rows of so many images, `[rows * images, ...]` by name.

        Args:
            model: the model.
            images: in a row.
            several: whether several values are of use, for what is said where there is none.

        Raises:
            InputError: an option is missing, superfluous, or does not fit the model.
        """
        import torch

        from nextpixel.nn.conditions import Labels, Vector, named

        conditions = named(model.condition)
        kinds = [type(condition) for condition in conditions.values()]
        if self.label and Labels not in kinds:
            raise InputError("this model has no classes; leave --label out")
        if (self.vector or self.to) and Vector not in kinds:
            raise InputError("this model takes no vectors; leave --vector and --to out")
        if len(set(kinds)) < len(kinds) or not set(kinds) <= {Labels, Vector}:
            raise InputError(f"the conditions {', '.join(conditions)} can only be given in Python: model.sample")
        choices: dict[str, Tensor] = {}
        for name, condition in conditions.items():
            if isinstance(condition, Labels):
                choices[name] = self._labels(condition, several)[:, None].expand(-1, images)
            elif isinstance(condition, Vector):
                choices[name] = self._vectors(condition, images)
        # Every choice of labels with every choice of vectors, a row each.
        numbers = torch.cartesian_prod(*(torch.arange(len(values)) for values in choices.values())) if choices else None
        if numbers is None:
            return {}
        columns = numbers.view(len(numbers), -1).T
        return {name: values[row].flatten(0, 1) for (name, values), row in zip(choices.items(), columns, strict=True)}

    @property
    def are_given(self) -> bool:
        """Whether there is any."""
        return bool(self.label or self.vector or self.to)

    def _labels(self, condition: Labels, several: bool) -> Tensor:
        """The classes asked for, `[rows]`."""
        import torch

        if not self.label:
            every = ", or all" if several else ""
            raise InputError(f"this model needs --label: one of its classes, {condition.listed}{every}")
        if EVERY_CLASS in self.label and EVERY_CLASS not in (condition.names or ()):
            return torch.arange(condition.count)
        return torch.tensor([condition.number(name) for name in self.label])

    def _vectors(self, condition: Vector, images: int) -> Tensor:
        """The vectors asked for, `[rows, images, d]`."""
        import torch

        from nextpixel.data.sources.vectors import read_rows

        if self.vector is None:
            raise InputError(f"this model needs --vector: a file of {condition.size} numbers, or of rows of as many")
        ends = [torch.from_numpy(read_rows(path)) for path in (self.vector, self.to) if path is not None]
        for path, vectors in zip((self.vector, self.to), ends, strict=False):
            if vectors.shape[1] != condition.size:
                raise InputError(f"{path} has vectors of {vectors.shape[1]} numbers, this model takes {condition.size}")
        if self.to is None:
            return ends[0][:, None].expand(-1, images, -1)
        if len(ends[0]) != len(ends[1]):
            raise InputError(
                f"{self.vector} has {len(ends[0])} vectors and {self.to} {len(ends[1])}; make them as many"
            )
        return torch.stack([torch.lerp(ends[0], ends[1], step / max(1, images - 1)) for step in range(images)], dim=1)

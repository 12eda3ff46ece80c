"""Layers of which more than one computation exists, and the refusal of others in their place.

A parallel pass runs whatever modules stand in a model. The steps (`nextpixel.nn.steps`) and the integers of the codec
compute the same by code of their own, which knows only some classes: of another one, even of a subclass, they would
compute something else, and silently. So a class of layers says in `PARTS` which modules it is made of, by the names of
their attributes; `Layers` holds layers of one kind; and `check_exact` refuses anything else before a first step.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Generic, TypeVar

from torch import nn

from nextpixel.errors import ModelError

Layer = TypeVar("Layer", bound=nn.Module)


class Layers(nn.ModuleList, Generic[Layer]):
    """A list of layers of one kind; its parameters have the names that they have in an `nn.ModuleList`.

    Args:
        kind: class of the layers.
        layers: the layers.

    Raises:
        ModelError: at construction and whenever the list is gone through, if one of the layers is of another kind.
    """

    def __init__(self, kind: type[Layer], layers: Iterable[Layer]) -> None:
        super().__init__(layers)
        self.kind = kind
        list(self)

    def __iter__(self) -> Iterator[Layer]:
        for name, layer in self.named_children():
            if not isinstance(layer, self.kind):
                raise ModelError(
                    f"layer {name} is a {type(layer).__name__}, where only a {self.kind.__name__} fits; "
                    "put the layer back, or write a family of your own for it"
                )
            yield layer


def check_exact(
    modules: Iterable[tuple[str, nn.Module]],
    kind: type[nn.Module],
    computation: str,
    **parts: type[nn.Module],
) -> None:
    """Refuse modules that another computation than their own `forward` does not know.

    Args:
        modules: the modules with their names in the model.
        kind: what each has to be, exactly: a subclass may compute something else.
        computation: the computation that is to follow, as a plural noun for the error.
        **parts: classes of further modules inside, beside those of `PARTS`.

    Raises:
        ModelError: a module or one inside it is of another class, or has a `forward` of its own.
    """
    for path, module in modules:
        if type(module) is not kind:
            raise ModelError(
                f"{path} is a {type(module).__name__}, where the {computation} know a {kind.__name__}; "
                "put the layer back, or write a family of your own for it"
            )
        if "forward" in vars(module):
            raise ModelError(
                f"{path} has a forward of its own, which the {computation} do not know; "
                "put the layer back, or write a family of your own for it"
            )
        expected: Mapping[str, type[nn.Module]] = {**vars(kind).get("PARTS", {}), **parts}
        for name, part in module.named_children():
            if name not in expected:
                raise ModelError(
                    f"{path} has a part {name}, which the {computation} do not know; "
                    "take it out, or write a family of your own for it"
                )
            here = f"{path}.{name}"
            inside = (
                [(f"{here}.{n}", layer) for n, layer in enumerate(part)] if type(part) is Layers else [(here, part)]
            )
            check_exact(inside, expected[name], computation)

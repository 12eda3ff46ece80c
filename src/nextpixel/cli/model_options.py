"""The options of all families together, as the flags of `nextpixel train`."""

from __future__ import annotations

from dataclasses import dataclass, field, make_dataclass
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from nextpixel.families.configs import Option
from nextpixel.families.registry import families

OWN_FLAGS = {"order"}
"""Options of a family for which `train` has a flag of its own, which chooses the family too."""


def options_of_families() -> dict[str, dict[str, Option]]:
    """Every option that a family has, by name, and then by family."""
    known: dict[str, dict[str, Option]] = {}
    for family, entry in families().items():
        for one in entry.config.options():
            if one.name not in OWN_FLAGS:
                known.setdefault(one.name, {})[family] = one
    # Those that every family has first.
    return dict(sorted(known.items(), key=lambda entry: -len(entry[1])))


def help_of(by_family: dict[str, Option]) -> str:
    """What an option is, with its defaults."""
    defaults: dict[str, list[str]] = {}
    for family, one in by_family.items():
        if one.rule.default is not None:
            defaults.setdefault(str(one.rule.default), []).append(family)
    first = next(iter(by_family.values()))
    if not defaults:
        return first.rule.help
    if len(defaults) == 1:
        return f"{first.rule.help} [default: {next(iter(defaults))}]"
    told = "; ".join(f"{value} for {', '.join(names)}" for value, names in defaults.items())
    return f"{first.rule.help} [default: {told}]"


if TYPE_CHECKING:

    @dataclass(frozen=True, kw_only=True)
    class ModelOptions:
        """The options that were given; those that were not are None."""

else:
    ModelOptions = Parameter(name="*", group="Model")(
        make_dataclass(
            "ModelOptions",
            [
                (
                    name,
                    Annotated[next(iter(by_family.values())).kind | None, Parameter(help=help_of(by_family))],
                    field(default=None),
                )
                for name, by_family in options_of_families().items()
            ],
            frozen=True,
            kw_only=True,
            namespace={"__module__": __name__, "__doc__": "Size of the model; a family refuses what it does not know."},
        )
    )

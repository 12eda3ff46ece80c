"""`nextpixel models`."""

from __future__ import annotations

import json
from typing import Annotated

from cyclopts import Parameter

from nextpixel.cli.output import say
from nextpixel.families.configs import Option
from nextpixel.families.registry import families
from nextpixel.model_files.shipped import read_config, shipped


def models(*, as_json: Annotated[bool, Parameter(name="--json", negative="")] = False) -> None:
    """List the model families, and the trained models that come with the package.

    Families of other packages are among them: those with an entry point in the group nextpixel.families, and those that
    the environment variable NEXTPIXEL_FAMILIES names, by modules or files of Python with commas between.

    Args:
        as_json: Print the families with their options, and the models, as JSON.
    """
    known = dict(sorted(families().items()))
    if as_json:
        table = {
            "families": {
                name: {"summary": entry.summary, "options": [_as_json(one) for one in entry.config.options()]}
                for name, entry in known.items()
            },
            "models": {name: read_config(name)["model"] for name in shipped()},
        }
        say(json.dumps(table, indent=2, allow_nan=False))
        return
    width = 2 + max(map(len, [*known, *shipped()]))
    say("families, for `train --model` (turned: for `train --order`):")
    for name, entry in known.items():
        say(f"  {name:{width}}{entry.summary}")
    say("trained models that come along, for RUN:")
    for name in shipped():
        config = read_config(name)
        description, record = config["model"], config["record"]
        shape = " x ".join(map(str, description["image_shape"]))
        remark = ", of reconstructions from their codes" if description["family"] == "autoencoder" else ""
        say(f"  {name:{width}}{description['family']}, {shape}, {record['protocol']}; {record['validation']}{remark}")


def _as_json(one: Option) -> dict[str, str | int | float | bool | None]:
    """An option for programs that read it."""
    return {
        "name": one.name,
        "type": one.kind.__name__,
        "default": one.rule.default,
        "allowed": one.allowed,
        "help": one.rule.help,
    }

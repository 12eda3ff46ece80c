"""`nextpixel models`."""

from __future__ import annotations

from nextpixel.cli.output import say
from nextpixel.families.registry import FAMILIES
from nextpixel.families.registry import models as names
from nextpixel.model_files.shipped import read_config, shipped


def models() -> None:
    """List the model families, for --model, and the trained models that come along, for RUN."""
    width = 2 + max(map(len, [*names(), *shipped()]))
    say("families, for `train --model` (turned: for `train --order`):")
    for name in names():
        say(f"  {name:{width}}{FAMILIES[name].summary}")
    say("trained models that come along, for RUN:")
    for name in shipped():
        config = read_config(name)
        description, record = config["model"], config["record"]
        shape = " x ".join(map(str, description["image_shape"]))
        given = ", of reconstructions from their codes" if description["family"] == "autoencoder" else ""
        say(f"  {name:{width}}{description['family']}, {shape}, {record['protocol']}; {record['validation']}{given}")

"""`nextpixel models`."""

from __future__ import annotations

from nextpixel.models.registry import FAMILIES
from nextpixel.models.registry import models as names


def models() -> None:
    """List the model families, for --model."""
    for name in names():
        print(f"{name:20} {FAMILIES[name].summary}")

"""Families beside each other: what every pixel of a small image sees, by gradients."""

from __future__ import annotations

from functools import cache
from typing import Any, NamedTuple

import numpy as np
import torch

from nextpixel.families.build import build
from nextpixel.verify import observed_receptive_fields
from nextpixel.web.fields import Fields, packed
from nextpixel.web.jobs import Job

SIDE, LOOKS = 12, 4


class Family(NamedTuple):
    """A family in the comparison.

    Attributes:
        name: of the family.
        options: of its model, which is small and not trained: what a pixel can see is the same before the training.
        told: how it looks at an image.
    """

    name: str
    options: dict[str, Any]
    told: str


FAMILIES = (
    Family("pixelcnn", {"layers": 6}, "One stack of masked convolutions: a wedge at the upper right is never seen."),
    Family("gated-pixelcnn", {"layers": 6}, "Two stacks, one for the rows above and one for this row: no blind spot."),
    Family("row-lstm", {"layers": 1}, "A recurrence from row to row: a triangle that widens upwards."),
    Family("diagonal-bilstm", {"layers": 1}, "Recurrences along the diagonals: all that was drawn before."),
    Family("multiscale", {"layers": 1}, "A coarse image first, then the pixels between: another order."),
    Family("local-pixelcnn", {"layers": 1}, "One window: the neighbourhood alone, for images of any size."),
)


def described() -> list[dict[str, object]]:
    """What is known of the families before anything is computed."""
    return [{"name": family.name, "told": family.told, "side": SIDE} for family in FAMILIES]


def compare(fields: Fields, job: Job) -> None:
    """Tell the order of the pixels of a family, and which pixel sees which."""
    job.tell(dict(_family(fields.integer("number", 0, len(FAMILIES) - 1))))


@cache
def _family(number: int) -> dict[str, object]:
    """A family's part of the comparison: its order, and the table as bits, a row of pixels for each pixel."""
    family = FAMILIES[number]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = build(family.name, image_shape=(1, SIDE, SIDE), levels=2, features=8, **family.options)
    table = observed_receptive_fields(model, looks=LOOKS)
    return {
        "kind": "family",
        "order": model.order[0].flatten().argsort().tolist(),
        "sees": packed(torch.from_numpy(np.packbits(table.numpy(), axis=1))),
    }

"""Where the bits of images are."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from nextpixel.nn.conditions import Labels, Values
from nextpixel.runtime.distributed import current
from nextpixel.runtime.precision import evaluating
from nextpixel.scoring.images import Images
from nextpixel.scoring.likelihood import Batch, numbers
from nextpixel.scoring.posterior import batches_to_score, posterior

if TYPE_CHECKING:
    from nextpixel.families.base import ImageModel


@torch.no_grad()
def bit_maps(model: ImageModel, images: Images, condition: Values | None = None) -> Iterator[tuple[Tensor, Tensor]]:
    """For some images at a time, in order: the images, and the bits that each pixel takes.

    Args:
        model: the model.
        images: a set, or integers `[N, C, H, W]` as a tensor or an array.
        condition: see `nextpixel.score`; without it a model of labels predicts whatever the class.

    Yields:
        The images `[B, C, H, W]`, and float64 `[B, H, W]`, `-log2` of the probability of all sub-pixels of a pixel
        given what comes before them; an image's sum is `nats / ln 2`.

    Raises:
        InputError: the images do not fit the model.
    """

    def bits(batch: Batch) -> tuple[Tensor, Tensor]:
        some, values = batch.read()
        unknown = values is None and isinstance(model.condition, Labels)
        logs = posterior(model, some).map if unknown else numbers(model.log_prob_map(some, values).double().cpu())
        return some, logs.sum(dim=1) / -math.log(2)

    with evaluating(model):
        yield from current().each(batches_to_score(model, images, condition), bits)

"""Validation in the course of a training, and the verdict at its end."""

from __future__ import annotations

import math
import time

import numpy as np
import torch

from nextpixel.data import ImageSet
from nextpixel.data.pictures import Pictures
from nextpixel.families.base import ImageModel
from nextpixel.model_files.likelihood import Likelihood
from nextpixel.runtime.progress import Advance
from nextpixel.scoring.likelihood import dimensions_of, evaluate, log_probs
from nextpixel.training.few_steps import FEW_STEPS

QUANTILES = 101


class Validation:
    """Evaluates models on the validation images, and knows how long that takes.

    Args:
        images: the validation images, with the conditions of the model, if it has any.
        some: how many of them are used in the course of the training.

    Attributes:
        best: the least nats per image so far; None before the first validation.
        last: the last likelihood; None before the first.
    """

    def __init__(self, images: ImageSet | Pictures, some: int) -> None:
        self.images = images
        self._subset = images.subset(np.arange(min(len(images), some)))
        self._seconds_per_image: float | None = None
        self.best: float | None = None
        self.last: Likelihood | None = None

    def validate(self, model: ImageModel) -> bool:
        """Evaluate a model on some images; returns whether it is the best so far."""
        start = time.monotonic()
        self.last = evaluate(model, self._subset)
        self._seconds_per_image = (time.monotonic() - start) / len(self._subset)
        if self.best is not None and not self.last.nats < self.best:
            return False
        self.best = self.last.nats
        return True

    def seconds_at_the_end(self, otherwise: float) -> float:
        """Estimate how long the last validation and the evaluation of all images take together.

        Args:
            otherwise: seconds per image, as long as no validation has told.
        """
        seconds = otherwise if self._seconds_per_image is None else self._seconds_per_image
        return seconds * (len(self._subset) + len(self.images))

    def conclude(self, model: ImageModel, advance: Advance) -> Likelihood:
        """Evaluate a model on all validation images, and write what came out into its record."""
        nats = -log_probs(model, self.images, advance=advance)
        likelihood = Likelihood.of(nats, dimensions_of(model, self.images))
        model.record.validation = f"{self.images.name}: {likelihood}"
        model.record.likelihood = likelihood
        # So that others can tell where an image lies among those held out.
        model.record.quantiles = nats.quantile(torch.linspace(0, 1, QUANTILES, dtype=nats.dtype)).tolist()
        return likelihood


def nothing_learned(likelihood: Likelihood, levels: int, *, steps: int) -> str | None:
    """Tell that a run learned nothing, and why.

    Args:
        likelihood: of the validation images at the end.
        levels: of the images.
        steps: how many were done.

    Returns:
        A sentence, or None where the model is better than one that takes all levels for equally likely.
    """
    raw = math.log2(levels)
    if likelihood.bits_per_dim < raw:
        return None
    if steps < FEW_STEPS:
        why = (
            f"because the run had few steps ({steps:,}): train longer, with --steps, --epochs or --minutes, or make a "
            "step cheaper, with fewer --features and --layers"
        )
    else:
        why = "though it took many steps: lower --learning-rate, and check that both sets are of the same kind"
    return (
        f"nothing was learned, {why}; {likelihood.bits_per_dim:.2f} bits/dim is no better than the {raw:.2f} of the "
        "raw values"
    )

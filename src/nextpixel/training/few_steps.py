"""What is said of a run before it begins whose epochs are hardly any steps. No PyTorch here."""

from __future__ import annotations

from nextpixel.runtime.counted import counted
from nextpixel.training.settings import TrainingSettings

FEW_STEPS = 200
"""Steps below which no model learns much."""


def few_steps(settings: TrainingSettings, images: int) -> str | None:
    """Tell that a run is short because a batch holds a good part of the images that there are.

    Args:
        settings: of the run; the batch size is a number.
        images: how many there are to train on.

    Returns:
        A sentence, or None where there are steps enough, or where the user gave their number or the minutes.
    """
    steps = settings.total_steps(images)
    if settings.steps is not None or steps is None or steps >= FEW_STEPS:
        return None
    length = "is a single step" if steps == 1 else f"has only {steps:,} steps"
    smaller = "a smaller --batch-size, or " if settings.images_a_step > 1 else ""
    return (
        f"this run {length}, as a step takes {counted(settings.images_a_step, 'image')} and there are {images:,} to "
        f"train on: give {smaller}the length in --steps, such as --steps {5 * FEW_STEPS}"
    )

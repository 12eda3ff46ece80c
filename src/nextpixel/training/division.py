"""Dividing images into those to train on and those to validate on, and finding that division again."""

from __future__ import annotations

from typing import NamedTuple

from nextpixel.data import ImageSet
from nextpixel.errors import DataError, TrainingError
from nextpixel.families.base import ImageModel
from nextpixel.model_files.record import HeldOut

FRACTION = 0.05
"""The part of the images that is held out where nobody says otherwise."""


class Division(NamedTuple):
    """Images to train on and images to validate on.

    Attributes:
        training: The images to train on.
        valid: The images to validate on.
        held_out: Which part of one set the latter are; None where they were separate before.
    """

    training: ImageSet
    valid: ImageSet
    held_out: HeldOut | None


def divide(images: ImageSet, valid: ImageSet | None = None, *, fraction: float = FRACTION) -> Division:
    """Choose the images to train on and those to validate on.

    Args:
        images: The training images; of a set with splits, those of `train`.
        valid: The validation images; of a set with splits, those of `valid`. None takes the split `valid` of `images`,
            or holds out a part of them, always the same one.
        fraction: The part that is then held out, between 0 and 1.

    Raises:
        TrainingError: The fraction is out of range.
        DataError: The images have splits but no `train`, are too few, or the two sets differ in shape or levels.
    """
    if not 0 < fraction < 1:
        raise TrainingError(f"--valid-fraction must be between 0 and 1, not {fraction}")
    if images.splits and "train" not in images.splits:
        raise DataError(
            f"{images.name} has the splits {', '.join(images.splits)} but no train; add one, or name a folder of one"
        )
    training = images.split("train") if images.splits else images
    held_out = None
    if valid is not None:
        valid = valid.split("valid") if "valid" in valid.splits else valid
    elif "valid" in images.splits:
        valid = images.split("valid")
    else:
        held_out = HeldOut(fraction, training.with_condition(None).mutated(0).fingerprint)
        training, valid = training.hold_out(fraction)
    if valid.image_shape != training.image_shape or valid.levels != training.levels:
        raise DataError(
            f"validation images are {valid.image_shape} with {valid.levels} levels, training images "
            f"{training.image_shape} with {training.levels}; both must be alike"
        )
    return Division(training, valid, held_out)


def held_out_of(model: ImageModel, images: ImageSet) -> Division | None:
    """Find into what the run of a model divided images; None if it did not divide just these."""
    known = model.record.held_out
    if known is None or "valid" in images.splits:
        return None
    whole = images.split("train") if "train" in images.splits else images
    if whole.with_condition(None).fingerprint != known.fingerprint:
        return None
    return Division(*whole.hold_out(known.fraction), known)

"""Dividing images into those to train on and those to validate on, and finding that division again."""

from __future__ import annotations

from typing import Generic, NamedTuple, TypeVar

from nextpixel.data import ImageSet
from nextpixel.data.pictures import Pictures
from nextpixel.errors import DataError, TrainingError
from nextpixel.families.base import ImageModel
from nextpixel.model_files.record import HeldOut

FRACTION = 0.05
"""The part of the images that is held out where nobody says otherwise."""


Set = TypeVar("Set", ImageSet, Pictures)


class Division(NamedTuple, Generic[Set]):
    """Images to train on and images to validate on.

    Attributes:
        training: the images to train on.
        valid: the images to validate on.
        held_out: which part of one set the latter are; None where they were separate before.
    """

    training: Set
    valid: Set
    held_out: HeldOut | None


def divide(images: Set, valid: Set | None = None, *, fraction: float = FRACTION) -> Division[Set]:
    """Choose the images to train on and those to validate on.

    Args:
        images: the training images; of a set with splits, those of `train`.
        valid: the validation images; of a set with splits, those of `valid`. None takes the split `valid` of `images`,
            or holds out a part of them, always the same one.
        fraction: the part that is then held out, between 0 and 1.

    Raises:
        TrainingError: the fraction is out of range.
        DataError: the images have splits but no `train`, are too few, or the two sets differ in shape or levels.
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
        held_out = HeldOut(fraction, _fingerprint(training))
        training, valid = training.hold_out(fraction)
    if _kind(valid) != _kind(training):
        raise DataError(
            f"validation images are of {_kind(valid)}, training images of {_kind(training)}; both must be alike"
        )
    return Division(training, valid, held_out)


def _kind(images: ImageSet | Pictures) -> str:
    """What images of one training must have in common."""
    shape = f"{images.channels} channels" if isinstance(images, Pictures) else " x ".join(map(str, images.image_shape))
    return f"{shape} with {images.levels} levels"


def _fingerprint(images: ImageSet | Pictures) -> str:
    """The fingerprint of images alone, whatever is attached to them."""
    return images.fingerprint if isinstance(images, Pictures) else images.with_condition(None).mutated(0).fingerprint


def held_out_of(model: ImageModel, images: Set) -> Division[Set] | None:
    """Find into what the run of a model divided images; None if it did not divide just these."""
    known = model.record.held_out
    if known is None or "valid" in images.splits:
        return None
    whole = images.split("train") if "train" in images.splits else images
    if _fingerprint(whole) != known.fingerprint:
        return None
    return Division(*whole.hold_out(known.fraction), known)

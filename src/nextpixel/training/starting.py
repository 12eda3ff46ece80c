"""How a run begins: with random weights, with those of another run, or as the background model of one."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from nextpixel.data import ImageSet
from nextpixel.data.pictures import Pictures
from nextpixel.families.base import ImageModel
from nextpixel.families.build import build
from nextpixel.model_files.record import HeldOut, TrainingRecord
from nextpixel.training.run_folder import read_settings
from nextpixel.training.settings import TrainingSettings

LENGTHS = ("steps", "epochs", "minutes")


def untrained_like(model: ImageModel, size: tuple[int, int] | None = None) -> ImageModel:
    """Build a model like another one, with random weights, perhaps for images of another height and width."""
    return build(
        model.family,
        image_shape=(model.image_shape[0], *(size or (model.image_shape[1], model.image_shape[2]))),
        levels=model.levels,
        condition=model.condition,
        **model.options,
    )


def of_size(model: ImageModel, size: tuple[int, int]) -> ImageModel:
    """Give a model of any size another height and width, those of its images; leave others as they are.

    One whose maps are enlarged by a network for images of its own size is left as it is, too.

    Args:
        model: a trained model.
        size: height and width of the images that it will be trained on.

    Returns:
        A model with the same weights, on the same device, and record, or the model itself.
    """
    if not model.any_size or model.image_shape[1:] == size:
        return model
    weights = model.state_dict()
    resized = untrained_like(model, size).to(next(model.parameters()))
    if {name: weight.shape for name, weight in resized.state_dict().items()} != {
        name: weight.shape for name, weight in weights.items()
    }:
        return model
    resized.load_state_dict(weights)
    resized.record = model.record
    return resized


def settings_like(run: Path, settings: TrainingSettings) -> TrainingSettings:
    """Take the settings of a run wherever others are left at their defaults; the length is one setting.

    Args:
        run: the folder of the run.
        settings: those that win where they are not the defaults.

    Raises:
        TrainingError: the settings of the run cannot be read.
    """
    usual = TrainingSettings()
    kept = {
        name: value for name, value in read_settings(run).items() if getattr(settings, name, 0) == getattr(usual, name)
    }
    if any(getattr(settings, name) is not None for name in LENGTHS):
        kept = {name: value for name, value in kept.items() if name not in LENGTHS}
    return replace(settings, **kept)


def name_origin(model: ImageModel, name: str | None = None) -> None:
    """Let the record of a trained model say that its training begins anew, and from what.

    Args:
        model: the model, whose record is replaced.
        name: what it is called, such as the folder it was loaded from; None takes the name that its record has.
    """
    trained = model.record
    begun = ", ".join(filter(None, (name or trained.name or "a trained model", trained.trained)))
    model.record = TrainingRecord(begun=begun)


def describe_training(
    model: ImageModel, images: ImageSet | Pictures, *, held_out: HeldOut | None, recipe: str | None, command: str | None
) -> None:
    """Write into the record of a model what is known before its training.

    Args:
        model: the model.
        images: the training images.
        held_out: which part of the images was held out.
        recipe: name and version of the recipe that is followed, if one is.
        command: the command that trains, if one does.
    """
    model.record = TrainingRecord(
        begun=model.record.begun,
        held_out=held_out,
        recipe=recipe,
        command=command,
        binarisation=_binarisation(images) if isinstance(images, ImageSet) and images.binarize else None,
        mutation=(images.mutation or None) if isinstance(images, ImageSet) else None,
    )


def _binarisation(images: ImageSet) -> str:
    if images.dynamic:
        return "dynamic: redrawn at every use, a different task from fixed binarisation; do not compare the two"
    return f"{images.binarize}, fixed"

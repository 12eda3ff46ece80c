"""Options that several commands share. No PyTorch here: imports of the work are inside the functions."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

from cyclopts import Parameter

from nextpixel.data.reading import Reading
from nextpixel.errors import InputError
from nextpixel.runtime.distributed import current

if TYPE_CHECKING:
    from nextpixel.data import ImageSet
    from nextpixel.data.pictures import Pictures
    from nextpixel.families.base import ImageModel


Set = TypeVar("Set", "ImageSet", "Pictures")


@Parameter(name="*", group="Images")
@dataclass(frozen=True, kw_only=True)
class DataOptions(Reading):
    """How images are read. Nothing is resized, recoloured or quantised unless asked for.

    Attributes:
        levels: Quantise to this many levels: floor(x * new / old).
        binarize: Make two levels. threshold: half and above is 1. stochastic: drawn once with the brightness as
            probability. dynamic: drawn again at every use, which is another task with other likelihoods.
        resize: Height and width, such as 32x32: crop the middle to this aspect ratio, then resample.
        mode: Convert to grey or rgb.
        drop_alpha: Discard alpha channels.
        depth: 8 takes the highest 8 bits of files that have 12 or 16 bits a channel, as --levels does too; otherwise
            such files are left out.
        binarize_seed: Seed of the draws of --binarize.
    """

    drop_alpha: Annotated[bool, Parameter(negative="")] = False

    def open(self, source: str, *, vectors: Path | None = None) -> ImageSet:
        """Open images with these options, and tell what was skipped or done to them.

        Raises:
            NextpixelError: they cannot be read as asked.
        """
        from nextpixel.data import open_images

        wishes = self.wishes()
        images = current().machine_by_machine(lambda: open_images(source, vectors=vectors, **wishes))
        tell(images)
        return images

    def open_pictures(self, source: str) -> Pictures:
        """Open pictures of any sizes with these options, and tell what was skipped or done to them.

        Raises:
            NextpixelError: they cannot be read as asked.
        """
        from nextpixel.data.pictures import open_pictures

        if self.resize is not None or self.binarize is not None:
            flag = "--resize" if self.resize is not None else "--binarize"
            raise InputError(f"pictures of any sizes are taken as they are; leave out {flag}")
        pictures = current().machine_by_machine(
            lambda: open_pictures(
                source, levels=self.levels, mode=self.mode, drop_alpha=self.drop_alpha, depth=self.depth
            )
        )
        tell(pictures)
        return pictures


def tell(images: ImageSet | Pictures) -> None:
    """Say what was skipped or done to images."""
    from nextpixel.cli.output import warn

    for name, reason in images.skipped[:5]:
        warn(f"skipped {name}: {reason}")
    if len(images.skipped) > 5:
        warn(f"skipped {len(images.skipped) - 5} more files")
    for note in images.notes:
        warn(note)


def open_for(
    model: ImageModel,
    source: str,
    options: DataOptions,
    split: str | None = None,
    *,
    vectors: Path | None = None,
    own_condition: bool = True,
) -> ImageSet:
    """Open images that a model is to be used on: as its training images were, unless options say otherwise.

    Args:
        model: the model.
        source: images, as `nextpixel.open_images` takes them.
        options: how they are read.
        split: only this split; see `part_of`.
        vectors: file of the images' vectors, if they are not with the images.
        own_condition: whether a conditional model is to take its conditions from the labels and vectors of the images.

    Raises:
        NextpixelError: they cannot be read, or do not fit the model.
    """
    from nextpixel.families.set_condition import conditioned

    images = part_of(model, stored_options(model, options).open(source, vectors=vectors), split)
    if model.needs_condition and own_condition:
        images = conditioned(images, model.condition)
    model.check_set(images, with_condition=own_condition)
    return images


def takes_pictures(model: ImageModel, options: DataOptions) -> bool:
    """Whether a model is to be given pictures of any sizes, as it is if they are not brought to one size first."""
    reading = stored_options(model, options)
    return model.any_size and not model.needs_condition and reading.resize is None and reading.binarize is None


def open_pictures_for(model: ImageModel, source: str, options: DataOptions, split: str | None) -> Pictures:
    """Open pictures of any sizes for a model that takes them, as those of its training were read.

    Args:
        model: the model.
        source: pictures, as `nextpixel.open_pictures` takes them.
        options: how they are read.
        split: only this split; see `part_of`.

    Raises:
        NextpixelError: they cannot be read, or do not fit the model.
    """
    from nextpixel.scoring.likelihood import check_pictures

    pictures = part_of(model, stored_options(model, options).open_pictures(source), split)
    check_pictures(model, pictures)
    return pictures


def part_of(model: ImageModel, images: Set, split: str | None) -> Set:
    """A split of images, all where it is None.

    Where a run held a part of its images back for validation, `train` and `valid` of the same images are those parts.

    Raises:
        DataError: there is no such split.
        InputError: the run held a part of other images back.
    """
    from nextpixel.training.division import held_out_of

    if split is None:
        return images
    if split in ("train", "valid"):
        if (parts := held_out_of(model, images)) is not None:
            return parts.valid if split == "valid" else parts.training
        if split not in images.splits and model.record.held_out is not None:
            raise InputError(f"{_unlike(images)}; give those images as they were")
    return images.split(split)


def test_part(images: Set, split: str | None, *models: ImageModel) -> tuple[Set, str]:
    """The test split of images where no part was asked for and they have one; and the name of the part they are.

    Where it is all of them, and one of the models was trained on some, that is told.
    """
    from nextpixel.cli.output import warn
    from nextpixel.training.division import held_out_of

    if split is not None:
        return images, split
    if "test" in images.splits:
        return images.split("test"), "test"
    divided = next(filter(None, (held_out_of(model, images) for model in models)), None)
    if divided is not None:
        warn(
            f"{len(divided.training):,} of these {len(images):,} images are those of the training; --split valid "
            f"takes the {len(divided.valid):,} that were held back"
        )
    elif "train" in images.splits:
        warn(f"these are the images of all splits ({', '.join(images.splits)}); --split valid takes one")
    return images, "all"


def valid_part(model: ImageModel, images: Set, split: str | None) -> tuple[Set, str]:
    """The validation images where no part was asked for and there are some; and the name of the part they are.

    Those are the split `valid`, or what the run of a model held back of the same images.

    Raises:
        InputError: the run held a part of other images back; these may be among those that it was trained on.
    """
    from nextpixel.training.division import held_out_of

    if split is None:
        if "valid" in images.splits:
            return images.split("valid"), "valid"
        if (parts := held_out_of(model, images)) is not None:
            return parts.valid, "valid"
        if model.record.held_out is not None:
            raise InputError(
                f"{_unlike(images)}; give those images as they were, or, if the model was trained on none of these, "
                "--split all"
            )
    return images, split or "all"


def _unlike(images: ImageSet | Pictures) -> str:
    """What is wrong with images of which a run held no part back."""
    return (
        f"{images.name} is not the set of images of which the run held a part back for validation, or has changed since"
    )


def stored_options(model: ImageModel, options: DataOptions) -> DataOptions:
    """How the training images of a model were read, unless options say otherwise."""
    if options != DataOptions() or model.record.images is None:
        return options
    return DataOptions(**asdict(model.record.images))


def load_model(run: Path) -> ImageModel:
    """Load a model onto the fastest device there is.

    Raises:
        ModelError: the folder holds no model, or a damaged one.
    """
    import torch

    from nextpixel.model_files.loading import load

    model = current().together(lambda: load(run))
    return model.to("cuda" if torch.cuda.is_available() else "cpu")

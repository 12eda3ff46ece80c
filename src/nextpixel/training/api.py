"""`train`: from a model and images to a run folder and a likelihood."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

from nextpixel.data import ImageSet
from nextpixel.data.memory import as_image_set
from nextpixel.data.pictures import Pictures
from nextpixel.errors import TrainingError
from nextpixel.families.base import ImageModel, check_model
from nextpixel.families.set_condition import conditioned
from nextpixel.model_files.likelihood import Likelihood
from nextpixel.model_files.record import HeldOut
from nextpixel.runtime.counted import counted
from nextpixel.runtime.distributed import current
from nextpixel.runtime.precision import full_float32, repeatable
from nextpixel.runtime.progress import SILENT, Progress
from nextpixel.runtime.terminal import TerminalProgress
from nextpixel.scoring.images import Images
from nextpixel.training.batch_size import with_batch_size
from nextpixel.training.crops import Crops, pieces_of
from nextpixel.training.division import FRACTION, divide
from nextpixel.training.images import TrainingImages, WholeImages
from nextpixel.training.run import Run
from nextpixel.training.run_folder import RunFolder
from nextpixel.training.settings import TrainingSettings
from nextpixel.training.starting import describe_training, name_origin


def train(
    model: ImageModel,
    images: Images,
    out: str | Path,
    valid: Images | None = None,
    settings: TrainingSettings = TrainingSettings(),
    resume: bool = False,
    *,
    valid_fraction: float = FRACTION,
    recipe: str | None = None,
    command: str | None = None,
    progress: Progress | None = None,
) -> Likelihood:
    """Train a model by maximum likelihood, as `nextpixel train` does.

    The run folder holds the best weights so far, so that it is a model folder too, the figures of the training
    (metrics.jsonl), sample grids, and the checkpoint from which an interrupted run goes on to the same bits.

    Args:
        model: an untrained model of `nextpixel.build`, whose weights are random as PyTorch's seed says, or a trained
            one, whose training then begins anew from its weights. It is trained in place, on the device of the
            settings; its weights are those of the last step, and the best ones are in `out`.
        images: the training images: a set, or integers `[N, C, H, W]` below the model's levels as an array or a
            tensor. Of a set with splits those of `train` are taken. A conditional model takes its conditions from the
            labels and vectors of the set, or those of `ImageSet.with_condition`. With a `crop` in the settings,
            pictures of any sizes, of `nextpixel.open_pictures`.
        out: the run folder: a new or an empty one, or that of the run to resume.
        valid: images to validate on. None takes the split `valid` of `images`, or holds out a part of them, always
            the same one.
        settings: how to train.
        resume: go on from the checkpoint in `out`, if there is one.
        valid_fraction: the part of the images that is held out where there are no validation images, 0 to 1.
        recipe: what the model card says of the recipe that the settings follow.
        command: what the model card says of the command that trained the model.
        progress: hears of the progress; None shows bars and notes on the standard error, `Progress()` nothing.

    Returns:
        The likelihood of all validation images under the best weights.

    Raises:
        TrainingError: the run cannot start, is out of memory, or its loss is no longer finite.
        InputError: the images do not fit the model.
        DataError: there are too few images to hold out some.
        ProcessError: another process of the run is gone.
        Interrupted: ctrl-C, SIGTERM or SIGHUP; the checkpoint is written. It is a `TrainingError`.
    """
    check_model(model)
    progress = TerminalProgress() if progress is None else progress
    folder, processes = RunFolder(Path(out)), current()
    prepare = _with_crops if settings.crop_size is not None else _with_whole_images
    training, drawn, validation, held_out = prepare(model, images, valid, settings, valid_fraction)
    parameters = sum(parameter.numel() for parameter in model.parameters())
    shown = progress if processes.first else SILENT
    kind = "piece" if settings.crop_size is not None and not model.any_size else "image"
    shown.note(
        f"{model.family}: {parameters:,} parameters; {drawn.name}: {counted(len(drawn), 'training image')} of "
        f"{' x '.join(map(str, drawn.image_shape))}, {counted(len(validation), f'validation {kind}')}, "
        f"{model.levels} levels"
    )
    with ExitStack() as stack:
        processes.from_first(lambda: stack.enter_context(folder.held()))
        settings = with_batch_size(settings, model, drawn, folder.path if resume else None)
        if model.record.data is not None and not (resume and folder.has_checkpoint):
            name_origin(model)
        if training.condition is not None and model.record.begun is None:
            model.fit_condition(training.condition)
        describe_training(model, training, held_out=held_out, recipe=recipe, command=command)
        run = Run(model, drawn, validation, folder, settings, shown)
        run.begin(resume)
        with full_float32(), repeatable():
            run.go()
            return run.finish()


class _Prepared(NamedTuple):
    """What a run needs of its images.

    Attributes:
        training: the images, or pictures, to train on.
        drawn: what steps draw from them.
        valid: what is validated on.
        held_out: which part of one set that is.
    """

    training: ImageSet | Pictures
    drawn: TrainingImages
    valid: ImageSet | Pictures
    held_out: HeldOut | None


def _with_whole_images(
    model: ImageModel,
    images: Images,
    valid: Images | None,
    settings: TrainingSettings,
    fraction: float,
) -> _Prepared:
    if isinstance(images, Pictures) or isinstance(valid, Pictures):
        raise TrainingError(
            "pictures of any sizes are trained on crop by crop: give the settings crop, such as crop=(64, 64); or open "
            "images of one size with nextpixel.open_images"
        )
    separate = None if valid is None else as_image_set(valid, model.levels)
    division = divide(as_image_set(images, model.levels), separate, fraction=fraction)
    specification = model.condition if model.needs_condition else None
    training, validation = (conditioned(part, specification) for part in (division.training, division.valid))
    model.check_set(training)
    model.check_set(validation)
    drawn = WholeImages(training, settings.seed, flips="flips" in settings.augmentations)
    return _Prepared(training, drawn, validation, division.held_out)


def _with_crops(
    model: ImageModel,
    images: Images,
    valid: Images | None,
    settings: TrainingSettings,
    fraction: float,
) -> _Prepared:
    size = settings.crop_size
    assert size is not None
    if not isinstance(images, Pictures) or not isinstance(valid, Pictures | None):
        raise TrainingError("crops are drawn from pictures: open them with nextpixel.open_pictures")
    if model.needs_condition:
        raise TrainingError("crops have no conditions: build the model without, or train on whole images without crop")
    division = divide(images, valid, fraction=fraction)
    crops = Crops(division.training, size, settings.seed, settings.augmentations)
    if (crops.image_shape[0], crops.levels) != (model.image_shape[0], model.levels) or not (
        model.any_size or crops.image_shape == model.image_shape
    ):
        raise TrainingError(
            f"crops are {' x '.join(map(str, crops.image_shape))} with {crops.levels} levels, this model takes "
            f"{' x '.join(map(str, model.image_shape))} with {model.levels}; both must be alike"
        )
    validation = division.valid if model.any_size else pieces_of(division.valid, size)
    return _Prepared(division.training, crops, validation, division.held_out)

"""`train`: from a model and images to a run folder and a likelihood."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

from nextpixel.data.memory import as_image_set
from nextpixel.families.base import ImageModel, check_model
from nextpixel.families.set_condition import conditioned
from nextpixel.model_files.likelihood import Likelihood
from nextpixel.runtime.distributed import current
from nextpixel.runtime.precision import full_float32, repeatable
from nextpixel.runtime.progress import Progress
from nextpixel.runtime.terminal import TerminalProgress
from nextpixel.scoring.images import Images
from nextpixel.training.batch_size import with_batch_size
from nextpixel.training.division import FRACTION, divide
from nextpixel.training.images import WholeImages
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
        model: An untrained model of `nextpixel.build`, whose weights are random as PyTorch's seed says, or a trained
            one, whose training then begins anew from its weights. It is trained in place, on the device of the
            settings; its weights are those of the last step, and the best ones are in `out`.
        images: The training images: a set, or integers `[N, C, H, W]` below the model's levels as an array or a
            tensor. Of a set with splits those of `train` are taken. A conditional model takes its conditions from the
            labels and vectors of the set, or those of `ImageSet.with_condition`.
        out: The run folder: a new or an empty one, or that of the run to resume.
        valid: Images to validate on. None takes the split `valid` of `images`, or holds out a part of them, always
            the same one.
        settings: How to train.
        resume: Go on from the checkpoint in `out`, if there is one.
        valid_fraction: The part of the images that is held out where there are no validation images, 0 to 1.
        recipe: What the model card says of the recipe that the settings follow.
        command: What the model card says of the command that trained the model.
        progress: Hears of the progress; None shows bars and notes on the standard error, `Progress()` nothing.

    Returns:
        The likelihood of all validation images under the best weights.

    Raises:
        TrainingError: The run cannot start, is out of memory, or its loss is no longer finite.
        InputError: The images do not fit the model.
        DataError: There are too few images to hold out some.
        ProcessError: Another process of the run is gone.
        Interrupted: Ctrl-C, SIGTERM or SIGHUP; the checkpoint is written. It is a `TrainingError`.
    """
    check_model(model)
    progress = TerminalProgress() if progress is None else progress
    folder, processes = RunFolder(Path(out)), current()
    whole = as_image_set(images, model.levels)
    separate = None if valid is None else as_image_set(valid, model.levels)
    division = divide(whole, separate, fraction=valid_fraction)
    specification = model.condition if model.needs_condition else None
    training, validation = (conditioned(part, specification) for part in (division.training, division.valid))
    model.check_set(training)
    model.check_set(validation)
    with ExitStack() as stack:
        processes.from_first(lambda: stack.enter_context(folder.held()))
        settings = with_batch_size(settings, model, training, folder.path if resume else None)
        if model.record.data is not None and not (resume and folder.has_checkpoint):
            name_origin(model)
        if training.condition is not None and model.record.begun is None:
            model.fit_condition(training.condition)
        describe_training(model, training, held_out=division.held_out, recipe=recipe, command=command)
        shown = progress if processes.first else Progress()
        run = Run(model, WholeImages(training), validation, folder, settings, shown)
        run.begin(resume)
        with full_float32(), repeatable():
            run.go()
            return run.finish()

"""`nextpixel train`."""

from __future__ import annotations

import shlex
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter

from nextpixel.cli.destinations import check_outside
from nextpixel.cli.model_options import ModelOptions
from nextpixel.cli.options import DataOptions, load_model, stored_options
from nextpixel.errors import DataError, TrainingError
from nextpixel.runtime.distributed import everywhere
from nextpixel.training.settings import TrainingSettings

if TYPE_CHECKING:
    from nextpixel.data import ImageSet
    from nextpixel.data.pictures import Pictures


def train(
    data: str,
    *,
    out: Path,
    model: Annotated[str, Parameter(group="Model")] = "gated-pixelcnn",
    order: Annotated[Literal["top", "bottom", "left", "right"], Parameter(group="Model")] = "top",
    condition: Annotated[list[Literal["labels", "vectors"]] | None, Parameter(group="Model")] = None,
    valid: str | None = None,
    vectors: Path | None = None,
    valid_vectors: Path | None = None,
    valid_fraction: float = 0.05,
    start_from: Path | None = None,
    background_of: Path | None = None,
    mutation: float | None = None,
    resume: Annotated[bool, Parameter(negative="")] = False,
    recipe: str | None = None,
    config: Path | None = None,  # noqa: ARG001 - read before the options are: see nextpixel.cli.config
    model_options: ModelOptions = ModelOptions(),
    images: DataOptions = DataOptions(),
    settings: Annotated[TrainingSettings, Parameter(name="*", group="Training")] = TrainingSettings(),
) -> None:
    """Train a model on a folder of images, an array, or a named data set.

    Writes a run folder that all other commands take. It holds the best weights so far (config.json, model.safetensors,
    README.md), metrics.jsonl, sample grids and the checkpoint. Ctrl-C stops after the step and writes the checkpoint;
    the same command with --resume goes on from there.

    Args:
        data: Training images: a folder, archive, .npz, .npy, idx file, or a name such as digits.
        out: Folder of the run.
        model: Family of the model; see `nextpixel models`.
        order: The side at which the model begins an image. Completing is exact where this half is known.
        condition: What the model is conditioned on: labels (class folders, or labels in an .npz) or vectors (see
            --vectors); give it twice for both.
        valid: Validation images; by default the data's own valid split, or else a part that is held out.
        vectors: Numbers that belong to the images, [N, d]: an .npz with vectors (and perhaps names) or an .npy. Else
            the data's own: vectors in the .npz, embeddings.npz in the folder, a column vector of metadata.csv.
        valid_vectors: The same for the images of --valid.
        valid_fraction: Fraction of the images to hold out where the data has no valid split.
        start_from: Begin with the weights of this run or model folder, and its model, instead of random ones; how its
            images were read is taken over too. The schedule is a new one.
        background_of: Train a background model for the anomaly scores of this run (see `nextpixel score --background`):
            the same model on images of which a part of the sub-pixels is replaced at random. Options that are left out,
            or given their default, are the run's.
        mutation: Fraction of the sub-pixels that is replaced, with --background-of; 0.2 by default.
        resume: Go on from the checkpoint in the run folder, if there is one.
        recipe: Named options that are known to work: see `nextpixel recipes`. Flags and --config win over them.
        config: TOML file of options, by their names here with underscores; flags win over it.
        model_options: Size of the model.
        images: How images are read.
        settings: How to train.
    """
    check_outside(out, (data, valid))
    if mutation is not None and background_of is None:
        raise TrainingError("--mutation makes a background model; add --background-of RUN, or leave it out")
    if valid is None and valid_vectors is not None:
        raise DataError(f"--valid-vectors {valid_vectors} belong to the images of --valid, which is missing; add it")
    for flag, run in (("--start-from", start_from), ("--background-of", background_of)):
        if run is not None and (
            model_options != ModelOptions() or condition or (model, order) != ("gated-pixelcnn", "top")
        ):
            raise TrainingError(f"{flag} takes the model of the run; leave out the options of the model")
    if start_from is not None and background_of is not None:
        raise TrainingError("--start-from and --background-of both name the run to begin with; give one of them")

    import torch

    from nextpixel.cli.output import progress, say
    from nextpixel.families.build import build
    from nextpixel.families.set_condition import specification_for
    from nextpixel.recipes import read_recipe
    from nextpixel.runtime.memory import keep_freed_memory
    from nextpixel.training.api import train as run_training
    from nextpixel.training.signals import Interrupted
    from nextpixel.training.starting import name_origin, of_size, settings_like, untrained_like

    keep_freed_memory()
    earlier = start_from or background_of
    basis = None if earlier is None else load_model(earlier)
    if basis is not None:
        images = stored_options(basis, images)
    if background_of is not None:
        settings = settings_like(background_of, settings)
    training: ImageSet | Pictures
    validation: ImageSet | Pictures | None
    specification = None
    if settings.crop_size is not None:
        if background_of is not None or condition or vectors is not None:
            raise TrainingError("--crop goes with none of --background-of, --condition and --vectors; leave it out")
        training = images.open_pictures(data)
        validation = None if valid is None else images.open_pictures(valid)
        shape = (training.channels, *settings.crop_size)
    else:
        training = images.open(data, vectors=vectors)
        validation = None if valid is None else images.open(valid, vectors=valid_vectors)
        if background_of is not None:
            rate = 0.2 if mutation is None else mutation
            training, validation = training.mutated(rate), validation and validation.mutated(rate)
        specification = specification_for(training, condition or [])
        shape = training.image_shape
    torch.manual_seed(settings.seed)
    if basis is None:
        options = {name: value for name, value in asdict(model_options).items() if value is not None}
        inner = {} if order == "top" else {"inner": model, "order": order}
        network = build(
            model if order == "top" else "turned",
            image_shape=shape,
            levels=training.levels,
            condition=specification,
            **inner,
            **options,
        )
    elif start_from is not None:
        network = of_size(basis, (shape[1], shape[2]))
        name_origin(network, str(start_from))
    else:
        network = untrained_like(basis)
    followed = None
    if recipe is not None:
        used = {"model": model, "order": order, **asdict(model_options), **asdict(images), **asdict(settings)}
        usual = {"order": "top", **asdict(ModelOptions()), **asdict(DataOptions()), **asdict(TrainingSettings())}
        followed = read_recipe(recipe).told_of(used, usual)
    words = [word for word in sys.argv[1:] if word != "--resume"]
    try:
        likelihood = run_training(
            network,
            training,
            out,
            validation,
            settings,
            resume,
            valid_fraction=valid_fraction,
            recipe=followed,
            command=shlex.join(["nextpixel", *words]),
            progress=progress,
        )
    except Interrupted as stop:
        command = shlex.join(["nextpixel", *words, "--resume"])
        raise everywhere(Interrupted(f"{stop}; to go on: {command}")) from None
    say(f"best weights, all validation images: {likelihood}")
    say(f"run folder: {out}")

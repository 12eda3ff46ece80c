r"""Small studies: one setting of a training is varied at a time, and the rest stays as in the base.

Every training sees the same images in the same order; all are compared on the same validation images, image by image,
so that the standard error of a difference is much smaller than that of either figure. One seed each: differences
within a few standard errors say nothing about other seeds.

    python benchmarks/study.py digits --steps 600 --base features=64 layers=6 dropout=0.5 \
        --vary dropout=0,0.25,0.5 weight_decay=0,0.1 ema=0,0.99,0.999 layers=3,6 features=32,64
"""

from __future__ import annotations

import argparse
import ast
import dataclasses
import math
import shutil
import time
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

import nextpixel as nx
from nextpixel.data import ImageSet
from nextpixel.model_files.likelihood import Likelihood
from nextpixel.scoring.likelihood import log_probs
from nextpixel.training.api import train
from nextpixel.training.settings import TrainingSettings

SETTINGS = {field.name for field in dataclasses.fields(TrainingSettings)}
HELD_OUT = 0.05
"""The part of the images that is held out where a set has no split for validation."""


def main() -> None:
    """Train every setting once and print the table as Markdown."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data")
    parser.add_argument("--valid", help="validation images; else the data's own, else a part")
    parser.add_argument("--model", default="gated-pixelcnn")
    parser.add_argument("--levels", type=int)
    parser.add_argument("--binarize", choices=["threshold", "stochastic", "dynamic"])
    parser.add_argument("--train-images", type=int, help="train on the first so many only")
    parser.add_argument("--valid-images", type=int, help="validate on the first so many only")
    parser.add_argument("--steps", type=int, default=500)
    parser.add_argument("--base", nargs="*", default=[], metavar="NAME=VALUE", help="options of the model and of train")
    parser.add_argument("--vary", nargs="+", required=True, metavar="NAME=VALUE,VALUE")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--out", type=Path, default=Path("runs/study"), help="run folders, replaced if they exist")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    training, valid = sets(options)
    base = {name: one for name, (one, *_) in map(parsed, options.base)}
    trials = [base]
    for name, values in map(parsed, options.vary):
        trials += [base | {name: value} for value in values if base.get(name, default_of(name)) != value]
    print(
        f"{options.model}, {options.steps} steps, {len(training):,} training images, {len(valid):,} validation images "
        f"of {training.name}, {training.levels} levels; base: {told(base, {})}\n"
    )
    print(
        "| changed | parameters | minutes | nats | bits/dim | difference to the base, nats |\n|---|---|---|---|---|---|"
    )
    of_base: Tensor | None = None
    for number, trial in enumerate(trials):
        start = time.monotonic()
        folder = options.out / f"{number:02d}"
        nats, parameters = result(options.model, trial, options.steps, training, valid, folder)
        minutes = (time.monotonic() - start) / 60
        dimensions = math.prod(training.image_shape)
        own = Likelihood.of(nats, dimensions)
        of_base = nats if of_base is None else of_base
        difference = Likelihood.of(nats - of_base, dimensions)
        print(
            f"| {told(trial, base) if number else 'nothing'} | {parameters:,} | {minutes:.1f} | {own.nats:.2f} ± "
            f"{own.nats_standard_error:.2f} | {own.bits_per_dim:.4f} | "
            + (f"{difference.nats:+.2f} ± {difference.nats_standard_error:.2f} |" if number else "|"),
            flush=True,
        )


def sets(options: argparse.Namespace) -> tuple[ImageSet, ImageSet]:
    """Training and validation images."""
    read = {"levels": options.levels, "binarize": options.binarize}
    whole = nx.open_images(options.data, **read)
    training = whole.split("train") if "train" in whole.splits else whole
    if options.valid is not None:
        valid = nx.open_images(options.valid, **read)
    elif "valid" in whole.splits:
        valid = whole.split("valid")
    else:
        training, valid = training.hold_out(HELD_OUT)
    return first(training, options.train_images), first(valid, options.valid_images)


def first(images: ImageSet, count: int | None) -> ImageSet:
    """The first images of a set."""
    return images if count is None else images.subset(range(min(count, len(images))))


def parsed(words: str) -> tuple[str, list[Any]]:
    """`name=1,2` as the name and its values."""
    name, _, values = words.partition("=")
    return name.replace("-", "_"), [literal(value) for value in values.split(",")]


def literal(text: str) -> Any:
    """A number, True, False or None where it reads like one."""
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text


def default_of(name: str) -> Any:
    """The default of a setting of the training; nothing is equal to that of a model's option."""
    return getattr(TrainingSettings(), name, ...)


def told(trial: dict[str, Any], base: dict[str, Any]) -> str:
    """What a trial has that the base has not."""
    return ", ".join(f"{name} {value}" for name, value in trial.items() if base.get(name, ...) != value) or "nothing"


def result(
    model: str, trial: dict[str, Any], steps: int, training: ImageSet, valid: ImageSet, folder: Path
) -> tuple[Tensor, int]:
    """Nats of each validation image under the best weights of one training, and the number of parameters."""
    shutil.rmtree(folder, ignore_errors=True)
    of_training = {name: value for name, value in trial.items() if name in SETTINGS}
    of_model = {name: value for name, value in trial.items() if name not in SETTINGS}
    settings = TrainingSettings(**{"steps": steps, "grids": 0, **of_training})
    torch.manual_seed(settings.seed)
    network = nx.build(model, image_shape=training.image_shape, levels=training.levels, **of_model)
    train(network, training, folder, valid, settings)
    best = nx.load(folder)
    return -log_probs(best, valid), sum(each.numel() for each in best.parameters())


if __name__ == "__main__":
    main()

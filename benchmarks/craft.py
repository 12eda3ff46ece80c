r"""What each switch of a training is worth, on the same budget: the table "Training craft" of the studies.

    python benchmarks/craft.py mnist-train.npz --valid-images 2000 --steps 500 --out craft.jsonl --processes 6

Every variant is a training of a small Gated PixelCNN that differs from its base in one switch; all see the same images
in the same order, from the same weights, where the switch allows it. They run side by side, one thread each, the base
first. What ends is written at once: a line of figures to the record, and the nats of each validation image to the
.npz beside it, so that differences are taken image by image. What is in the record already is not trained again, so a
run can be killed and gone on with; `--table` prints the table of what there is.

A switch that cannot pay before images come back is measured a second time on few images, which come back often.
"""

from __future__ import annotations

import argparse
import json
import math
import multiprocessing
import os
import statistics
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor, as_completed
from functools import cache, partial
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple, cast

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn, get_swa_multi_avg_fn

import nextpixel as nx
from nextpixel.data import ImageSet
from nextpixel.families.base import ImageModel
from nextpixel.families.gated_pixelcnn import GatedPixelCNN
from nextpixel.model_files.likelihood import Likelihood
from nextpixel.nn.gated import GatedLayer
from nextpixel.nn.level_embedding import LevelEmbedding
from nextpixel.nn.masks import ChannelGroups
from nextpixel.runtime.atomic_files import replacing, write_atomically
from nextpixel.runtime.distributed import current
from nextpixel.scoring.likelihood import log_probs
from nextpixel.training.images import TrainingImages, WholeImages
from nextpixel.training.optimization import make_average
from nextpixel.training.schedule import learning_rate
from nextpixel.training.settings import TrainingSettings
from nextpixel.training.steps import Steps
from study import HELD_OUT
from timing import alternately, processor, ratio

MODEL = {"features": 24, "layers": 6, "kernel_size": 5, "level_features": 16}
SETTINGS: dict[str, Any] = {"batch_size": 16, "learning_rate": 0.002, "precision": "float32", "device": "cpu"}
FEW = 200
"""Training images of the second base, which come back dozens of times."""

LAST_PART = 0.1
"""The part of a run over which the likelihood of the training images is averaged."""

TURNS = 12
"""Steps of each kind by which their cost is compared."""


def cosine(progress: float) -> float:
    """The package's own."""
    return 0.5 * (1 + math.cos(math.pi * progress))


SHAPES: dict[str, Callable[[float], float]] = {
    "cosine": cosine,
    "linear": lambda progress: 1 - progress,
    "constant, falling in the last fifth": lambda progress: min(1.0, 5 * (1 - progress)),
    "constant": lambda _: 1.0,
}
"""The learning rate after the warm-up, as a part of the full one, by the progress of the run from 0 to 1."""

OWN = "as in the package"
NO_AVERAGE = "none"
SECOND_HALF = "plain mean of the second half"
AVERAGES: dict[str, Callable[[nn.Module], AveragedModel]] = {
    "0.9": partial(make_average, decay=0.9),
    "0.95": partial(make_average, decay=0.95),
    "0.99": partial(make_average, decay=0.99),
    "0.9995": partial(make_average, decay=0.9995),
    "0.99 from the first step on": partial(AveragedModel, multi_avg_fn=get_ema_multi_avg_fn(0.99)),
    "0.999 from the first step on": partial(AveragedModel, multi_avg_fn=get_ema_multi_avg_fn(0.999)),
    SECOND_HALF: partial(AveragedModel, multi_avg_fn=get_swa_multi_avg_fn()),
}
"""Moving averages of the weights beside that of the settings.

Its decay is 0.999, but after t steps (1 + t) / (10 + t) at most, so that others from 0.99 on are the same in short
runs; those "from the first step on" have their decay at once.
"""


NOTHING: Mapping[str, Any] = MappingProxyType({})


class Variant(NamedTuple):
    """A training.

    Attributes:
        length: factor on the steps.
        settings: of the training, where they differ from `SETTINGS`.
        options: of the model, where they differ from `MODEL`.
        shape: of the learning rate.
        images: how many to train on; None for all.
        shifts: whether images are shifted by up to a pixel.
        positions: whether the model sees the row and the column of each pixel.
        muon: factor on the learning rate of the matrices, which Muon then moves; None for no Muon.
        averages: moving averages that are evaluated at the end.
        halfway: likewise, after half of the steps.
        base: what it is compared with.
        cost: the variant whose steps cost as much as these; None for this one.
    """

    length: float = 1.0
    settings: Mapping[str, Any] = NOTHING
    options: Mapping[str, Any] = NOTHING
    shape: str = "cosine"
    images: int | None = None
    shifts: bool = False
    positions: bool = False
    muon: float | None = None
    averages: tuple[str, ...] = (OWN,)
    halfway: tuple[str, ...] = ()
    base: str = "base"
    cost: str | None = "base"


HALF, MORE = "half of the steps", "half as many steps again"
FEW_BASE = f"{FEW} images: base"
VARIANTS: dict[str, Variant] = {
    "base": Variant(averages=(OWN, NO_AVERAGE, "0.9", "0.99", "0.9995", "0.999 from the first step on")),
    "constant rate": Variant(
        shape="constant",
        averages=(OWN, NO_AVERAGE, "0.9", "0.95", "0.99", "0.9995", "0.99 from the first step on", SECOND_HALF),
        halfway=(OWN, NO_AVERAGE),
    ),
    MORE: Variant(length=1.5),
    "constant rate, falling in the last fifth": Variant(shape="constant, falling in the last fifth"),
    "linear rate": Variant(shape="linear"),
    "Muon for the matrices": Variant(muon=1.0, cost=None),
    "seed 1": Variant(settings={"seed": 1}),
    "Muon for the matrices, three times their rate": Variant(muon=3.0, cost="Muon for the matrices"),
    "seed 2": Variant(settings={"seed": 2}),
    "rows and columns as inputs": Variant(positions=True, cost=None),
    "RMSProp": Variant(settings={"optimizer": "rmsprop"}, cost=None),
    "RMSProp, a quarter of the rate": Variant(
        settings={"optimizer": "rmsprop", "learning_rate": SETTINGS["learning_rate"] / 4}, cost="RMSProp"
    ),
    HALF: Variant(length=0.5),
    FEW_BASE: Variant(images=FEW, averages=(OWN, NO_AVERAGE)),
    f"{FEW} images: dropout 0.1": Variant(images=FEW, options={"dropout": 0.1}, base=FEW_BASE, cost="dropout 0.1"),
    f"{FEW} images: shifts": Variant(images=FEW, shifts=True, base=FEW_BASE, cost="shifts of a pixel"),
    f"{FEW} images: flips": Variant(images=FEW, settings={"augment": "flips"}, base=FEW_BASE, cost="flips"),
    "dropout 0.1": Variant(options={"dropout": 0.1}, cost=None),
    "shifts of a pixel": Variant(shifts=True, cost=None),
    "flips": Variant(settings={"augment": "flips"}, cost=None),
    "clip 0.1": Variant(settings={"clip": 0.1}),
    "no clip": Variant(settings={"clip": 1e9}),
    "twice the rate": Variant(settings={"learning_rate": 2 * SETTINGS["learning_rate"]}),
    "half the rate": Variant(settings={"learning_rate": SETTINGS["learning_rate"] / 2}),
    f"{FEW} images: weight decay 0.1": Variant(images=FEW, settings={"weight_decay": 0.1}, base=FEW_BASE),
}
COSTS = "costs"
"""The job, and its line in the record, of what a step of each kind costs."""


class Shifted(WholeImages):
    """Images shifted by -1, 0 or 1 pixel in each direction; the edge is filled with level 0.

    Args:
        images: the set.
        seed: chooses the draws.
    """

    def __init__(self, images: ImageSet, seed: int) -> None:
        super().__init__(images, seed)
        self.seed = seed

    def batch(self, indices: Any, *, draw: int = 0, place: int = 0) -> Tensor:
        """Read images; see `TrainingImages.batch`."""
        batch = super().batch(indices, draw=draw, place=place)
        height, width = batch.shape[2:]
        padded = F.pad(batch, (1, 1, 1, 1))
        shifts = [
            np.random.default_rng([self.seed, draw, place + number]).integers(3, size=2) for number in range(len(batch))
        ]
        return torch.stack(
            [image[:, y : y + height, x : x + width] for image, (y, x) in zip(padded, shifts, strict=True)]
        )


class WithPositions(LevelEmbedding):
    """The maps of an image and two more, the row and the column of each pixel in [-1, 1], which no pixel changes.

    Args:
        maps: those of the image, of one colour; the weights are shared.
    """

    def __init__(self, maps: LevelEmbedding) -> None:
        super().__init__(1, maps.levels, 0)
        self.groups = ChannelGroups.split(maps.groups.channels + 2, 1)
        self.features = maps.features

    def forward(self, inputs: Tensor) -> Tensor:
        """The maps of images, `[B, 1, H, W]` in [-1, 1] to `[B, groups.channels, H, W]`."""
        batch, _, height, width = inputs.shape
        rows = torch.linspace(-1, 1, height).view(1, 1, height, 1).expand(batch, 1, height, width)
        columns = torch.linspace(-1, 1, width).expand(batch, 1, height, width)
        return torch.cat([super().forward(inputs), rows, columns], dim=1)


def add_positions(model: GatedPixelCNN) -> None:
    """Let a model see positions. Their weights begin at zero, so that it begins as the same model as without."""
    before = model.layers[0]
    assert isinstance(before, GatedLayer)
    model.image_maps = WithPositions(model.image_maps)
    options = model.config
    layer = GatedLayer(
        model.image_maps.groups,
        before.features,
        options.first_kernel_size,
        first=True,
        last=options.layers == 1,
        skip=options.skips,
        dropout=options.dropout,
    )
    state = before.state_dict()
    for name in ("vertical.weight", "horizontal.weight"):
        wider = torch.zeros_like(layer.state_dict()[name])
        wider[:, : state[name].shape[1]] = state[name]
        state[name] = wider
    layer.load_state_dict(state)
    model.layers[0] = layer


class MuonForMatrices:
    """Muon for the weights between features, AdamW for all others: levels, biases, the first and the last layer.

    Muon of PyTorch takes matrices only. A kernel is one with a row for each output, and it moves a copy of it.

    Args:
        model: whose weights to move.
        settings: how.
        factor: on the learning rate of the matrices.
    """

    def __init__(self, model: GatedPixelCNN, settings: TrainingSettings, factor: float) -> None:
        self.factor = factor
        first = model.layers[0]
        assert isinstance(first, GatedLayer)
        outer = {first.vertical.weight, first.horizontal.weight, model.readout.output.weight}
        self.kernels = [weight for weight in model.parameters() if weight.ndim == 4 and weight not in outer]
        inner = set(self.kernels)
        self.matrices = [nn.Parameter(kernel.detach().flatten(1).clone()) for kernel in self.kernels]
        rate, decay = settings.learning_rate, settings.weight_decay
        self.muon = torch.optim.Muon(self.matrices, lr=rate, weight_decay=decay, adjust_lr_fn="match_rms_adamw")
        others = [weight for weight in model.parameters() if weight not in inner]
        self.adamw = torch.optim.AdamW(others, lr=rate, betas=(0.9, 0.99), weight_decay=decay)

    @property
    def param_groups(self) -> list[dict[str, Any]]:
        """Where `Steps` sets the learning rate."""
        return [*self.muon.param_groups, *self.adamw.param_groups]

    def zero_grad(self) -> None:
        """Forget the gradients of all weights."""
        self.adamw.zero_grad()
        for kernel in self.kernels:
            kernel.grad = None

    @torch.no_grad()
    def step(self) -> None:
        """Move all weights."""
        for kernel, matrix in zip(self.kernels, self.matrices, strict=True):
            assert kernel.grad is not None
            matrix.grad = kernel.grad.flatten(1)
        for group in self.muon.param_groups:
            group["lr"] *= self.factor
        self.muon.step()
        for kernel, matrix in zip(self.kernels, self.matrices, strict=True):
            kernel.copy_(matrix.view_as(kernel))
        self.adamw.step()


class CraftSteps(Steps):
    """The steps of the package, with more moving averages, and perhaps with Muon.

    Args:
        model: with its initial weights.
        images: the training images.
        settings: how to train.
        muon: see `Variant`.
        averages: names of moving averages.
    """

    def __init__(
        self,
        model: GatedPixelCNN,
        images: TrainingImages,
        settings: TrainingSettings,
        muon: float | None,
        averages: Iterable[str],
    ) -> None:
        super().__init__(model, images, settings, current())
        if muon is not None:
            # It has what the steps call: zero_grad, step, and groups with a rate.
            self._optimizer = cast(torch.optim.Optimizer, MuonForMatrices(model, settings, muon))
        self.averages = {name: AVERAGES[name](self.model) for name in averages if name in AVERAGES}

    def take(self, step: int, rate: float) -> tuple[float, float]:
        """Take a step; returns the nats of the batch in sum, and the norm of the gradient."""
        nats, norm = self.gradient(step)
        self.update(rate)
        return nats, norm

    def follow(self, progress: float) -> None:
        """Let the further averages see the weights; `progress` is the part of the run that is done."""
        for name, average in self.averages.items():
            if name != SECOND_HALF or progress > 0.5:
                average.update_parameters(self.model)

    def weights(self, average: str) -> nn.Module:
        """The model with a moving average of its weights."""
        if average == NO_AVERAGE:
            return self.model
        return self.averaged if average == OWN else self.averages[average].module


def settings_of(variant: Variant, steps: int) -> TrainingSettings:
    """How a variant is trained, where the base has so many steps."""
    return TrainingSettings(steps=round(variant.length * steps), **(SETTINGS | dict(variant.settings)))


def prepared(variant: Variant, training: ImageSet, settings: TrainingSettings) -> CraftSteps:
    """A training before its first step."""
    images = training if variant.images is None else training.subset(range(min(variant.images, len(training))))
    drawn: TrainingImages
    if variant.shifts:
        drawn = Shifted(images, settings.seed)
    else:
        drawn = WholeImages(images, settings.seed, flips="flips" in settings.augmentations)
    torch.manual_seed(settings.seed)
    options = MODEL | dict(variant.options)
    model = nx.build("gated-pixelcnn", image_shape=images.image_shape, levels=images.levels, **options)
    assert isinstance(model, GatedPixelCNN)
    if variant.positions:
        add_positions(model)
    return CraftSteps(model, drawn, settings, variant.muon, {*variant.averages, *variant.halfway})


def rate_of(variant: Variant, settings: TrainingSettings, step: int, progress: float) -> float:
    """The learning rate of a step: the package's, with its warm-up, but of another shape."""
    return learning_rate(settings, step, progress) * (SHAPES[variant.shape](progress) / cosine(progress))


class Result(NamedTuple):
    """What is written of the weights that a training had at some time.

    Attributes:
        line: figures for the record.
        nats: of each validation image.
    """

    line: dict[str, Any]
    nats: np.ndarray


def name_of(variant: str, average: str, *, halfway: bool) -> str:
    """What is said of weights: of the variant alone, where they are those that the package would save."""
    words = [variant, *(["halfway"] if halfway else []), *([f"average {average}"] if average != OWN else [])]
    return "; ".join(words)


def train(name: str, steps: int, training: ImageSet, valid: ImageSet) -> list[Result]:
    """Train a variant, and evaluate it.

    Raises:
        ArithmeticError: the likelihood or the gradient is not finite.
    """
    variant = VARIANTS[name]
    settings = settings_of(variant, steps)
    total = settings.steps
    assert total is not None
    run = prepared(variant, training, settings)
    parameters = sum(weight.numel() for weight in run.model.parameters())
    seconds, clipped, nats_a_step, results = 0.0, 0, [], []
    for step in range(total):
        start = time.process_time()
        nats, norm = run.take(step, rate_of(variant, settings, step, step / total))
        seconds += time.process_time() - start
        if not (math.isfinite(nats) and math.isfinite(norm)):
            raise ArithmeticError(f"{nats} nats and a gradient of {norm} at step {step:,}")
        nats_a_step.append(nats / settings.images_a_step)
        clipped += norm > settings.clip
        done = step + 1
        run.follow(done / total)
        halfway = done == total // 2 and done < total
        if not (halfway or done == total):
            continue
        last = nats_a_step[-math.ceil(LAST_PART * done) :]
        known: list[tuple[nn.Module, Tensor]] = []
        for average in variant.halfway if halfway else variant.averages:
            weights = run.weights(average)
            assert isinstance(weights, ImageModel)
            # A decay that the run is too short for is evaluated once.
            of_valid = next((nats for other, nats in known if same(weights, other)), None)
            if of_valid is None:
                of_valid = -log_probs(weights, valid)
                known.append((weights, of_valid))
            summary = Likelihood.of(of_valid, math.prod(valid.image_shape))
            line = {
                "name": name_of(name, average, halfway=halfway),
                "variant": name,
                "average": average,
                "halfway": halfway,
                "steps": done,
                "cpu_seconds": round(seconds, 2),
                "parameters": parameters,
                "nats": summary.nats,
                "standard_error": summary.nats_standard_error,
                "bits_per_dim": summary.bits_per_dim,
                "nats_in_training": statistics.fmean(last),
                "clipped": clipped / done,
            }
            results.append(Result(line, of_valid.numpy()))
    return results


def same(model: nn.Module, other: nn.Module) -> bool:
    """Whether two models of one kind have the same weights."""
    return all(torch.equal(one, two) for one, two in zip(model.parameters(), other.parameters(), strict=True))


def compare_costs(training: ImageSet) -> dict[str, float]:
    """CPU time of a step of each kind as a multiple of that of the base, taken in turns so that all are alike."""

    def stepper(variant: Variant) -> Callable[[], object]:
        settings = settings_of(variant, TURNS + 1)
        run, numbers = prepared(variant, training, settings), iter(range(TURNS + 1))
        return lambda: run.take(next(numbers), settings.learning_rate)

    kinds = {name: stepper(variant) for name, variant in VARIANTS.items() if variant.cost is None or name == "base"}
    times = alternately(kinds, TURNS, clock=time.process_time)
    return {name: ratio(seconds, times["base"]) for name, seconds in times.items()}


@cache
def sets(data: str, valid_images: int) -> tuple[ImageSet, ImageSet]:
    """The images to train on, and those to validate on, which are held out."""
    training, valid = nx.open_images(data).hold_out(HELD_OUT)
    return training, valid.subset(range(min(valid_images, len(valid))))


def work(job: str, steps: int, data: str, valid_images: int) -> list[Result] | dict[str, float]:
    """Do a job in a process of its own."""
    torch.set_num_threads(1)
    training, valid = sets(data, valid_images)
    return compare_costs(training) if job == COSTS else train(job, steps, training, valid)


class Record:
    """What is known, in two files that are whole at any time.

    Args:
        path: of the lines; the nats of the images are beside it, with the ending .npz.

    Attributes:
        lines: the figures, by the name of what they are of.
        nats: of each validation image, by the same names.
    """

    def __init__(self, path: Path) -> None:
        self.path, self.nats_path = path, path.with_suffix(".npz")
        lines = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
        self.lines: dict[str, dict[str, Any]] = {line["name"]: line for line in lines}
        self.nats: dict[str, np.ndarray] = {}
        if self.nats_path.exists():
            with np.load(self.nats_path) as stored:
                self.nats = dict(stored)

    def begin(self, about: dict[str, Any]) -> None:
        """Say what the record is of.

        Raises:
            SystemExit: it is of something else already.
        """
        before = self.lines.get("about", about)
        different = [name for name in ("data", "valid_images", "steps") if before[name] != about[name]]
        if different:
            raise SystemExit(f"{self.path} is of another {' and '.join(different)}; choose another file")
        self.lines["about"] = about
        self.write()

    def done(self, job: str) -> bool:
        """Whether all of a job is there."""
        return job in self.lines and "failed" not in self.lines[job]

    def take(self, job: str, outcome: list[Result] | dict[str, float]) -> None:
        """Keep what came of a job."""
        if isinstance(outcome, dict):
            self.lines[job] = {"name": job, "ratios": outcome}
        else:
            self.lines.pop(job, None)
            for result in outcome:
                self.lines[result.line["name"]] = result.line
                self.nats[result.line["name"]] = result.nats
        self.write()

    def fail(self, job: str, error: BaseException) -> None:
        """Keep that a job failed, and why."""
        self.lines[job] = {"name": job, "failed": f"{type(error).__name__}: {error}"}
        self.write()

    def write(self) -> None:
        """Write the nats first: a line without them would be taken for done."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(self.nats_path) as file:
            np.savez(file, allow_pickle=False, **self.nats)
        write_atomically(self.path, "".join(json.dumps(line) + "\n" for line in self.lines.values()).encode())


def base_of(line: dict[str, Any]) -> str | None:
    """What the weights of a line are compared with; None for a base itself."""
    if line["average"] != OWN:
        # With the package's own average of the same training, at the same step.
        return name_of(line["variant"], OWN, halfway=line["halfway"])
    if line["halfway"]:
        return HALF
    return None if line["variant"] in ("base", FEW_BASE) else VARIANTS[line["variant"]].base


def difference(record: Record, name: str, other: str) -> tuple[float, float]:
    """Mean and standard error of the nats of each image less those by another training."""
    nats = torch.from_numpy(record.nats[name] - record.nats[other])
    summary = Likelihood.of(nats, 1)
    return summary.nats, summary.nats_standard_error


def nats_of_cost(record: Record) -> Callable[[float], float] | None:
    """How many nats the base changes by when it gets a multiple of its CPU time; None where runs are missing."""
    lengths = [name for name in (HALF, "base", MORE) if name in record.nats]
    if "base" not in lengths or len(lengths) < 2:
        return None
    cpu = [math.log(record.lines[name]["steps"]) for name in lengths]
    nats = [record.lines[name]["nats"] for name in lengths]
    at_base = cpu[lengths.index("base")]
    return lambda cost: float(np.interp(at_base + math.log(cost), cpu, nats)) - record.lines["base"]["nats"]


def table(record: Record) -> Iterator[str]:
    """The lines of the table as Markdown, and what follows from the seeds and the lengths."""
    ratios = record.lines.get(COSTS, {}).get("ratios", {})
    worth = nats_of_cost(record)
    yield (
        "| changed | steps | CPU minutes | CPU time of a step | nats | difference, nats | at equal CPU time | "
        "nats won a CPU minute | nats in training |"
    )
    yield "|---|---|---|---|---|---|---|---|---|"
    order = list(VARIANTS)
    lines = [line for line in record.lines.values() if line["name"] in record.nats]
    for line in sorted(lines, key=lambda line: order.index(line["variant"])):
        name, variant = line["name"], VARIANTS[line["variant"]]
        cost = ratios.get(line["variant"] if variant.cost is None else variant.cost)
        minutes = line["cpu_seconds"] / 60
        other = base_of(line)
        cells = ["", "", ""]
        if other in record.nats:
            mean, error = difference(record, name, str(other))
            cells[0] = f"{mean:+.2f} ± {error:.2f}"
            # Of the second base it is not known what more steps bring.
            if worth is not None and cost is not None and other == "base" and variant.length == 1:
                equal = mean - worth(cost)
                cells[1:] = [f"{equal:+.2f}", f"{-equal / minutes:+.2f}"]
        yield (
            f"| {name} | {line['steps']:,} | {minutes:.2f} | {'' if cost is None else f'× {cost:.2f}'} | "
            f"{line['nats']:.2f} ± {line['standard_error']:.2f} | {' | '.join(cells)} | "
            f"{line['nats_in_training']:.1f} |"
        )
    seeds = [record.lines[name]["nats"] for name in ("base", "seed 1", "seed 2") if name in record.nats]
    if len(seeds) > 1:
        listed = ", ".join(f"{nats:.2f}" for nats in seeds)
        yield f"\n{len(seeds)} seeds of the base: {listed} nats, standard deviation {statistics.stdev(seeds):.2f}"
    yield from (f"{line['name']} failed: {line['failed']}" for line in record.lines.values() if "failed" in line)
    missing = [name for name in (*VARIANTS, COSTS) if name not in record.lines]
    if missing:
        yield f"not there: {'; '.join(missing)}"


def main() -> None:
    """Train what is missing, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data")
    parser.add_argument("--valid-images", type=int, default=2000, help="validate on so many of those held out")
    parser.add_argument("--steps", type=int, default=500, help="of the base, 16 images each")
    parser.add_argument("--out", type=Path, required=True, help="the record; the nats are beside it")
    parser.add_argument("--processes", type=int, default=6)
    parser.add_argument("--variants", nargs="+", choices=[*VARIANTS, COSTS], metavar="NAME", help="only these")
    parser.add_argument("--table", action="store_true", help="train nothing, print the table")
    options = parser.parse_args()
    record = Record(options.out)
    if not options.table:
        run(record, options)
    print("\n".join(table(record)))


def run(record: Record, options: argparse.Namespace) -> None:
    """Train what is missing, side by side."""
    os.environ["OMP_NUM_THREADS"] = "1"
    # The first to open a set fills its cache.
    training, valid = sets(options.data, options.valid_images)
    record.begin(
        {
            "name": "about",
            "data": f"{training.name}, {training.fingerprint}",
            "training_images": len(training),
            "valid_images": len(valid),
            "steps": options.steps,
            "model": MODEL,
            "settings": SETTINGS,
            "processor": processor(),
            "processes": options.processes,
            "torch": torch.__version__,
        }
    )
    # The costs, which the table needs, stand before what matters less.
    jobs = list(VARIANTS)
    jobs.insert(jobs.index(FEW_BASE), COSTS)
    wanted = [job for job in jobs if not record.done(job) and job in (options.variants or jobs)]
    start = time.monotonic()
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(options.processes, mp_context=context) as pool:
        tasks = {pool.submit(work, job, options.steps, options.data, options.valid_images): job for job in wanted}
        for task in as_completed(tasks):
            job, error = tasks[task], task.exception()
            if error is None:
                record.take(job, task.result())
            else:
                record.fail(job, error)
            print(f"{time.monotonic() - start:6.1f} s: {job}{'' if error is None else f' failed: {error}'}", flush=True)


if __name__ == "__main__":
    main()

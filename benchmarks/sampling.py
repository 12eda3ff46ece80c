"""Sampling step by step, as ratios to one parallel pass of the same images.

The pass is the least that sampling could cost.
A pass and a sample take turns, so that they meet the same moods of the machine; the ratios are medians over the turns.
Sampling by a pass for each sub-pixel, the usual way, costs as many passes as an image has sub-pixels, whatever the
model, so its ratio is not timed but counted.

    python benchmarks/sampling.py
    python benchmarks/sampling.py --busy --turns 3 --only pixelsnail pixelcnn++ locally-masked

On a machine that others use, `--busy` counts the processor's seconds instead of those that pass, in one thread.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import NamedTuple

import torch

import nextpixel as nx
from nextpixel.training.precision import placed
from timing import alternately, processor, ratio

Description = tuple[str, tuple[int, int, int], int, dict[str, int | str]]
"""Family, shape of the images, levels and options of a model."""


class Case(NamedTuple):
    """A model, how many images, and how many passes of as many they should cost at most."""

    name: str
    model: Description
    images: int
    goal: float


GATED: Description = ("gated-pixelcnn", (1, 28, 28), 2, {"features": 64, "layers": 8})
SNAIL: Description = ("pixelsnail", (1, 28, 28), 2, {"features": 64, "layers": 2, "block_layers": 4})
PLUS_PLUS: Description = ("pixelcnn++", (1, 28, 28), 2, {"features": 26, "layers": 2, "sizes": 3, "head": "softmax"})
CASES = [
    Case("gated 8 x 64, 28 x 28", GATED, 1, 12.0),
    Case("gated 8 x 64, 28 x 28", GATED, 16, 3.5),
    Case("gated 8 x 64, 28 x 28", GATED, 64, 2.0),
    Case("gated 8 x 64, 28 x 28", GATED, 256, 1.0),
    Case("pixelcnn 7 x 32, 28 x 28", ("pixelcnn", (1, 28, 28), 2, {"features": 32, "layers": 7}), 64, 2.5),
    Case("row-lstm 7 x 16, 28 x 28", ("row-lstm", (1, 28, 28), 2, {"features": 16, "layers": 7}), 64, 3.0),
    Case(
        "diagonal-bilstm 7 x 16, 28 x 28", ("diagonal-bilstm", (1, 28, 28), 2, {"features": 16, "layers": 7}), 64, 3.0
    ),
    Case("pixelsnail 2 x 4 x 64, 28 x 28", SNAIL, 64, 3.0),
    Case("pixelcnn++ 3 x 2 x 26, 28 x 28", PLUS_PLUS, 64, 3.0),
    Case("locally-masked 6 x 64, 28 x 28", ("locally-masked", (1, 28, 28), 2, {"features": 64, "layers": 6}), 64, 3.0),
    Case("gated 8 x 64, RGB 32 x 32", ("gated-pixelcnn", (3, 32, 32), 256, {"features": 64, "layers": 8}), 64, 3.0),
]
SIDES = (16, 32, 64, 128)


def build(family: str, shape: tuple[int, int, int], levels: int, options: dict[str, int | str]) -> nx.ImageModel:
    return placed(nx.build(family, image_shape=shape, levels=levels, condition=None, **options).eval())


class Clock(NamedTuple):
    """How times are taken: how many turns, and what tells the seconds."""

    turns: int
    now: Callable[[], float]

    def alternately(self, runs: Mapping[str, Callable[[], object]]) -> dict[str, list[float]]:
        """Seconds of each run, in turns."""
        return alternately(runs, self.turns, clock=self.now)


@torch.no_grad()
def against_a_pass(cases: Sequence[Case], clock: Clock) -> None:
    """Sampling against a parallel pass of as many images."""
    print(f"{'':33}{'images':>7}{'pass, ms':>10}{'sample, ms':>12}{'ratio':>8}{'goal':>7}{'pass a sub-pixel':>18}")
    for name, (family, shape, levels, options), count, goal in cases:
        model = build(family, shape, levels, options)
        images = torch.randint(levels, (count, *shape), dtype=torch.uint8)
        times = clock.alternately({"pass": partial(model.log_prob, images), "sample": partial(model.sample, count)})
        passes = ratio(times["sample"], times["pass"])
        medians = [1000 * statistics.median(times[run]) for run in ("pass", "sample")]
        faster = shape[0] * shape[1] * shape[2] / passes
        print(
            f"{name:33}{count:7}{medians[0]:10.0f}{medians[1]:12.0f}{passes:8.2f}{goal:7.1f}{faster:12.0f} x slower",
            flush=True,
        )


@torch.no_grad()
def against_the_side(clock: Clock) -> None:
    """The cost of a sub-pixel, for square images of several sides, relative to the second one."""
    models = {side: build("gated-pixelcnn", (1, side, side), 2, {"features": 32, "layers": 4}) for side in SIDES}
    times = clock.alternately({str(side): partial(model.sample, 16) for side, model in models.items()})
    print("\ncost of a sub-pixel, gated 4 x 32, 16 images")
    for side in SIDES:
        cost = ratio(times[str(side)], times[str(SIDES[1])]) * SIDES[1] ** 2 / side**2
        print(f"  {side:4} x {side:<4}{cost:6.2f}")


@torch.no_grad()
def completing(cases: Sequence[Case], clock: Clock) -> None:
    """Completing the lower half against drawing whole images, with one pass allowed for what is known."""
    print("\ncompleting the lower half, 64 images, as a part of a whole sample and one pass (goal 0.55 of the sample)")
    for name, (family, shape, levels, options), count, _ in cases:
        model = build(family, shape, levels, options)
        images = torch.randint(levels, (count, *shape), dtype=torch.uint8)
        known = torch.zeros(shape[1:], dtype=torch.bool)
        known[: shape[1] // 2] = True
        runs = {
            "pass": partial(model.log_prob, images),
            "sample": partial(model.sample, count),
            "complete": partial(model.complete, images, known),
        }
        times = clock.alternately(runs)
        without_pass = [c - p for c, p in zip(times["complete"], times["pass"], strict=True)]
        print(
            f"  {name:33}{ratio(times['complete'], times['sample']):6.2f} of a sample; "
            f"without one pass {ratio(without_pass, times['sample']):5.2f}",
            flush=True,
        )


def main() -> None:
    """Time everything and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--busy", action="store_true", help="one thread, and seconds of the processor")
    parser.add_argument(
        "--only", nargs="+", help="beginnings of the names of the models that are drawn from; no other tables then"
    )
    arguments = parser.parse_args()
    threads = 1 if arguments.busy else arguments.threads
    clock = Clock(arguments.turns, time.process_time if arguments.busy else time.perf_counter)
    cases = [case for case in CASES if case.name.startswith(tuple(arguments.only or [""]))]
    if not cases:
        parser.error(f"no model is called like this; there are {', '.join(sorted({case.name for case in CASES}))}")
    torch.set_num_threads(threads)
    print(f"{processor()}; {threads} thread(s); torch {torch.__version__}; float32")
    against_a_pass(cases, clock)
    if not arguments.only:
        against_the_side(clock)
        completing([case for case in CASES[2:7] if case.images == 64], clock)


if __name__ == "__main__":
    main()

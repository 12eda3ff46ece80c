"""Sampling step by step, as ratios to one parallel pass of the same images.

The pass is the least that sampling could cost.
A pass and a sample take turns, so that they meet the same moods of the machine; the ratios are medians over the turns.
Sampling by a pass for each sub-pixel, the usual way, costs as many passes as an image has sub-pixels, whatever the
model, so its ratio is not timed but counted.

    python benchmarks/sampling.py
"""

from __future__ import annotations

import argparse
import statistics
from functools import partial

import torch

import nextpixel as nx
from nextpixel.training.precision import placed
from timing import alternately, processor, ratio

Description = tuple[str, tuple[int, int, int], int, dict[str, int | str]]
"""Family, shape of the images, levels and options of a model."""

GATED: Description = ("gated-pixelcnn", (1, 28, 28), 2, {"features": 64, "layers": 8})
SNAIL: Description = ("pixelsnail", (1, 28, 28), 2, {"features": 64, "layers": 2, "block_layers": 4})
PLUS_PLUS: Description = ("pixelcnn++", (1, 28, 28), 2, {"features": 26, "layers": 2, "sizes": 3, "head": "softmax"})
CASES: list[tuple[str, Description, int, float]] = [
    ("gated 8 x 64, 28 x 28", GATED, 1, 12.0),
    ("gated 8 x 64, 28 x 28", GATED, 16, 3.5),
    ("gated 8 x 64, 28 x 28", GATED, 64, 2.0),
    ("gated 8 x 64, 28 x 28", GATED, 256, 1.0),
    ("pixelcnn 7 x 32, 28 x 28", ("pixelcnn", (1, 28, 28), 2, {"features": 32, "layers": 7}), 64, 2.5),
    ("row-lstm 7 x 16, 28 x 28", ("row-lstm", (1, 28, 28), 2, {"features": 16, "layers": 7}), 64, 3.0),
    ("diagonal-bilstm 7 x 16, 28 x 28", ("diagonal-bilstm", (1, 28, 28), 2, {"features": 16, "layers": 7}), 64, 3.0),
    ("pixelsnail 2 x 4 x 64, 28 x 28", SNAIL, 64, 3.0),
    ("pixelcnn++ 3 x 2 x 26, 28 x 28", PLUS_PLUS, 64, 3.0),
    ("locally-masked 6 x 64, 28 x 28", ("locally-masked", (1, 28, 28), 2, {"features": 64, "layers": 6}), 64, 3.0),
    ("gated 8 x 64, RGB 32 x 32", ("gated-pixelcnn", (3, 32, 32), 256, {"features": 64, "layers": 8}), 64, 3.0),
]
SIDES = (16, 32, 64, 128)


def build(family: str, shape: tuple[int, int, int], levels: int, options: dict[str, int | str]) -> nx.ImageModel:
    return placed(nx.build(family, image_shape=shape, levels=levels, condition=None, **options).eval())


@torch.no_grad()
def against_a_pass(turns: int) -> None:
    """Sampling against a parallel pass of as many images."""
    print(f"{'':33}{'images':>7}{'pass, ms':>10}{'sample, ms':>12}{'ratio':>8}{'goal':>7}{'pass a sub-pixel':>18}")
    for name, (family, shape, levels, options), count, goal in CASES:
        model = build(family, shape, levels, options)
        images = torch.randint(levels, (count, *shape), dtype=torch.uint8)
        runs = {"pass": partial(model.log_prob, images), "sample": partial(model.sample, count)}
        times = alternately(runs, turns)
        own = ratio(times["sample"], times["pass"])
        medians = [1000 * statistics.median(times[each]) for each in runs]
        faster = shape[0] * shape[1] * shape[2] / own
        print(
            f"{name:33}{count:7}{medians[0]:10.0f}{medians[1]:12.0f}{own:8.2f}{goal:7.1f}{faster:12.0f} x slower",
            flush=True,
        )


@torch.no_grad()
def against_the_side(turns: int) -> None:
    """The cost of a sub-pixel, for square images of several sides, relative to the second one."""
    models = {side: build("gated-pixelcnn", (1, side, side), 2, {"features": 32, "layers": 4}) for side in SIDES}
    times = alternately({str(side): partial(model.sample, 16) for side, model in models.items()}, turns)
    print("\ncost of a sub-pixel, gated 4 x 32, 16 images")
    reference = str(SIDES[1])
    for side in SIDES:
        own = ratio(times[str(side)], times[reference]) * SIDES[1] ** 2 / side**2
        print(f"  {side:4} x {side:<4}{own:6.2f}")


@torch.no_grad()
def completing(turns: int) -> None:
    """Completing the lower half against drawing whole images, with one pass allowed for what is known."""
    print("\ncompleting the lower half, 64 images, as a part of a whole sample and one pass (goal 0.55 of the sample)")
    for name, (family, shape, levels, options), count, _ in CASES[2:7]:
        if count != 64:
            continue
        model = build(family, shape, levels, options)
        images = torch.randint(levels, (count, *shape), dtype=torch.uint8)
        known = torch.zeros(shape[1:], dtype=torch.bool)
        known[: shape[1] // 2] = True
        runs = {
            "pass": partial(model.log_prob, images),
            "sample": partial(model.sample, count),
            "complete": partial(model.complete, images, known),
        }
        times = alternately(runs, turns)
        without_pass = [(c - p) / s for c, p, s in zip(times["complete"], times["pass"], times["sample"], strict=True)]
        print(
            f"  {name:33}{ratio(times['complete'], times['sample']):6.2f} of a sample; "
            f"without one pass {statistics.median(without_pass):5.2f}",
            flush=True,
        )


def main() -> None:
    """Time everything and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--turns", type=int, default=5)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    print(f"{processor()}; {arguments.threads} thread(s); torch {torch.__version__}; float32")
    against_a_pass(arguments.turns)
    against_the_side(arguments.turns)
    completing(arguments.turns)


if __name__ == "__main__":
    main()

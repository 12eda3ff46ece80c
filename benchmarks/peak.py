"""How much of the machine's matrix-product rate the training of each family reaches, and a textbook's beside it.

Steps of all families take turns with products of large square matrices in bfloat16 and in float32, the best of which is
the peak. A step is what `nextpixel train` does; its useful arithmetic is counted in `benchmarks/arithmetic.py`. The
second table compares the Gated PixelCNN with `benchmarks/textbook_gated.py`, which has as many weights.

    python benchmarks/peak.py

On a machine that others use, `--busy` runs one thread and counts the processor's seconds instead of those that pass:
they leave out the time in which another process runs.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import torch

import nextpixel as nx
from arithmetic import count
from nextpixel.runtime.memory import keep_freed_memory
from nextpixel.training.precision import placed
from textbook_gated import TextbookGatedPixelCNN
from timing import alternately, processor, ratio, training_step


class Case(NamedTuple):
    """A model and its batch."""

    family: str
    shape: tuple[int, int, int]
    levels: int
    batch: int
    options: dict[str, Any]

    def __str__(self) -> str:
        sizes = f"{self.options['layers']} x {self.options['features']}"
        return f"{self.family}, {sizes}, {self.shape[0]} x {self.shape[1]}^2, {self.levels} levels"


GREY, COLOUR = (1, 28, 28), (3, 32, 32)
CASES = [
    Case("gated-pixelcnn", GREY, 2, 64, {"features": 64, "layers": 8}),
    Case("pixelcnn", GREY, 2, 64, {"features": 32, "layers": 9}),
    Case("row-lstm", GREY, 2, 64, {"features": 16, "layers": 7}),
    Case("diagonal-bilstm", GREY, 2, 64, {"features": 16, "layers": 7}),
    Case("multiscale", GREY, 2, 64, {"features": 64, "layers": 4}),
    Case("autoencoder", GREY, 2, 64, {"features": 64, "layers": 8, "plain": False}),
    Case("gated-pixelcnn", COLOUR, 256, 16, {"features": 64, "layers": 8}),
    Case("pixelcnn", COLOUR, 256, 16, {"features": 32, "layers": 9}),
]
SIDES = (1024, 2048, 3072)


def products() -> dict[str, Callable[[], object]]:
    """Products of square matrices, by what they measure."""
    made: dict[str, Callable[[], object]] = {}
    for dtype in (torch.bfloat16, torch.float32):
        for side in SIDES:
            one, other, out = (torch.randn(side, side).to(dtype) for _ in range(3))
            made[f"{dtype} {side}"] = partial(torch.mm, one, other, out=out)
    return made


def peak(times: dict[str, list[float]], dtype: torch.dtype) -> float:
    """The best rate of a dtype's products, FLOP/s."""
    return max(2 * side**3 / min(times[f"{dtype} {side}"]) for side in SIDES)


def build(case: Case) -> nx.ImageModel:
    """The model of a case, as training has it."""
    torch.manual_seed(0)
    model = nx.build(case.family, image_shape=case.shape, levels=case.levels, **case.options)
    return placed(model).train()


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--turns", type=int, default=7)
    parser.add_argument("--busy", action="store_true", help="one thread, and seconds of the processor")
    parser.add_argument("--no-compile", action="store_true", help="leave the compiled variants out")
    arguments = parser.parse_args()
    threads, clock = (1, time.process_time) if arguments.busy else (arguments.threads, time.perf_counter)
    torch.set_num_threads(threads)
    kept = keep_freed_memory()
    print(f"{processor()}; {threads} thread(s); torch {torch.__version__}; freed memory is kept: {kept}")

    models = {str(case): build(case) for case in CASES}
    flop = {name: count(model).flop for name, model in models.items()}
    images = {str(case): torch.randint(case.levels, (case.batch, *case.shape), dtype=torch.uint8) for case in CASES}
    steps = {name: training_step(model, model.log_prob, images[name], bfloat16=True) for name, model in models.items()}
    gated = next(iter(models))
    first = CASES[0]
    textbook = TextbookGatedPixelCNN(first.levels, first.options["features"], first.options["layers"])
    masked = [module for module in models[gated].modules() if isinstance(module, nx.MaskedConv2d)]
    hidden = sum(int((module.mask == 0).sum()) for module in masked)
    visible = sum(parameter.numel() for parameter in models[gated].parameters()) - hidden
    assert textbook.visible == visible, (textbook.visible, visible)
    steps["textbook"] = training_step(textbook, textbook.log_prob, images[gated], bfloat16=False)
    single = build(first)
    steps["gated, float32"] = training_step(single, single.log_prob, images[gated], bfloat16=False)
    if not arguments.no_compile:
        compiled = build(first)
        steps["compiled"] = training_step(compiled, torch.compile(compiled.log_prob), images[gated], bfloat16=True)
    times = alternately(products() | steps, arguments.turns, warm_up=2, clock=clock)

    peaks = {dtype: peak(times, dtype) for dtype in (torch.bfloat16, torch.float32)}
    print(f"products of matrices: bfloat16 {peaks[torch.bfloat16] / 1e9:.0f}, float32 {peaks[torch.float32] / 1e9:.0f}")
    print(f"{'':52}{'GFLOP an image':>15}{'ms a step':>11}{'images/s':>10}{'GFLOP/s':>9}{'of bf16':>9}{'of f32':>8}")

    def row(name: str, work: str, batch: int) -> None:
        middle = statistics.median(times[name])
        rate = flop[work] * batch / middle
        shares = "".join(f"{rate / each:{width}.0%}" for each, width in zip(peaks.values(), (9, 8), strict=True))
        numbers = f"{flop[work] / 1e9:15.3f}{1000 * middle:11.0f}{batch / middle:10.0f}{rate / 1e9:9.0f}"
        print(f"{name:52}{numbers}{shares}")

    for case in CASES:
        row(str(case), str(case), case.batch)
    for name in ("compiled", "gated, float32", "textbook"):
        if name in times:
            row(name, gated, first.batch)
    print(f"\nagainst the textbook's {textbook.visible:,} weights in float32:")
    for name in (gated, "compiled", "gated, float32"):
        if name in times:
            print(f"{name:52}{ratio(times['textbook'], times[name]):8.2f}")
    bound = statistics.median(times["textbook"]) * peaks[torch.bfloat16] / (flop[gated] * first.batch)
    print(f"{'all arithmetic at the peak of bfloat16':52}{bound:8.2f}")


if __name__ == "__main__":
    main()

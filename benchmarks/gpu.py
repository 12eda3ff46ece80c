"""Training and sampling on a GPU, beside the formula of `benchmarks/scaling.py`.

The arithmetic and the calls of a step are counted on the models (`benchmarks/arithmetic.py`); the peak is the best rate
of a product of large square matrices in bfloat16, taken in turn with the steps. Sampling is measured with and without
CUDA graphs.

    python benchmarks/gpu.py
"""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Callable, Mapping
from functools import partial

import torch
from torch import Tensor

import nextpixel as nx
from arithmetic import count
from nextpixel.generation.engine_choice import Engine, only
from nextpixel.training.precision import placed
from peak import Case
from scaling import PAPER, SMALL
from timing import alternately, training_step

SIDES = (4096, 8192)
GREY, COLOUR = (1, 28, 28), (3, 32, 32)
SAMPLED = ("gated-pixelcnn", "pixelcnn", "row-lstm", "diagonal-bilstm")


def finished(run: Callable[[], object]) -> Callable[[], None]:
    """The same, waiting until the GPU is done."""

    def both() -> None:
        run()
        torch.cuda.synchronize()

    return both


def build(case: Case) -> nx.ImageModel:
    """The model of a case on the GPU, as training has it."""
    torch.manual_seed(0)
    model = nx.build(case.family, image_shape=case.shape, levels=case.levels, **case.options)
    return placed(model, "cuda").train()


def product(side: int) -> Callable[[], None]:
    """A product of square matrices."""
    one, other = (torch.randn(side, side, device="cuda", dtype=torch.bfloat16) for _ in range(2))
    return finished(lambda: one @ other)


def training(case: Case, turns: int, *, compiled: bool, call: float) -> None:
    """Print a row for each way to train the model of a case."""
    model = build(case)
    work = count(model, 2)
    images = torch.randint(case.levels, (case.batch, *case.shape), dtype=torch.uint8, device="cuda")
    steps = {"bfloat16": training_step(model, model.log_prob, images, bfloat16=True)}
    if compiled:
        steps["compiled"] = training_step(model, torch.compile(model.log_prob), images, bfloat16=True)
    else:
        steps["float32"] = training_step(model, model.log_prob, images, bfloat16=False)
    products = {f"product {side}": product(side) for side in SIDES}
    torch.cuda.reset_peak_memory_stats()
    times = alternately(products | {name: finished(step) for name, step in steps.items()}, turns, warm_up=2)
    peak = max(2 * side**3 / min(times[f"product {side}"]) for side in SIDES)
    memory = torch.cuda.max_memory_allocated() / 2**30
    for name in steps:
        middle = statistics.median(times[name])
        print(
            f"{case!s:52}{case.batch:6}  {name:9}{1000 * middle:9.1f}{case.batch / middle:10,.0f}"
            f"{work.flop * case.batch / middle / peak:9.1%}{1e6 * middle / work.operations:10.2f}"
            f"{1000 * work.operations * call:9.1f}{memory:8.1f}",
            flush=True,
        )


def sampled(
    model: nx.ImageModel, number: int, condition: dict[str, Tensor] | None, engine: Engine
) -> Callable[[], None]:
    """Drawing images by one engine."""

    def sample() -> object:
        with only(engine):
            return model.sample(number, condition)

    return finished(sample)


@torch.no_grad()
def sampling(models: Mapping[str, nx.ImageModel], turns: int) -> None:
    """Print what drawing images takes, with and without CUDA graphs, and one parallel pass of as many."""
    columns = f"{'images':>8}{'pass, ms':>10}{'captured, ms':>14}{'not, ms':>10}{'images/s':>10}"
    print(f"\n{'sampling':30}{columns}")
    for name, model in models.items():
        condition = model.random_condition(1, torch.Generator().manual_seed(0)) or None
        for number in (64, 1024):
            images = torch.randint(model.levels, (number, *model.image_shape), dtype=torch.uint8, device="cuda")
            runs = {
                "pass": finished(partial(model.log_prob, images, condition)),
                "captured": sampled(model, number, condition, "captured"),
                "single": sampled(model, number, condition, "pytorch"),
            }
            times = alternately(runs, turns)
            one, captured, single = (1000 * statistics.median(times[way]) for way in runs)
            rate = 1000 * number / captured
            print(f"{name:30}{number:8}{one:10.1f}{captured:14.0f}{single:10.0f}{rate:10,.0f}", flush=True)


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--turns", type=int, default=7)
    parser.add_argument("--batches", type=int, nargs="+", default=[32, 256], help="images a step, of small models")
    parser.add_argument("--call", type=float, default=25e-6, help="the formula's seconds from one call to the next")
    parser.add_argument("--compile", action="store_true", help="compiled steps in place of those in float32")
    parser.add_argument("--families", nargs="+", default=list(SMALL), help="train only these")
    parser.add_argument("--small-only", action="store_true", help="leave out the models of the papers' sizes")
    parser.add_argument("--no-samples", action="store_true", help="leave sampling out")
    parser.add_argument("--run", help="only sample from a trained model, such as nextpixel/mnist-gated")
    arguments = parser.parse_args()
    print(f"{torch.cuda.get_device_name()}; torch {torch.__version__}")
    turns = max(1, arguments.turns // 3)
    if arguments.run:
        sampling({arguments.run: nx.load(arguments.run).to("cuda").eval()}, turns)
        return
    columns = {"batch": 6, "": 11, "ms a step": 9, "images/s": 10, "of peak": 9, "us a call": 10, "L, ms": 9, "GiB": 8}
    print(" " * 52 + "".join(f"{name:>{width}}" for name, width in columns.items()))
    cases = [Case(family, GREY, 2, batch, options) for family, options in SMALL.items() for batch in arguments.batches]
    if not arguments.small_only:
        cases += [Case(family, COLOUR, 256, 32, options) for family, options in PAPER.items()]
    for case in cases:
        if case.family not in arguments.families:
            continue
        training(case, arguments.turns, compiled=arguments.compile, call=arguments.call)
        torch.cuda.empty_cache()
    if not arguments.no_samples:
        sampling({family: build(Case(family, GREY, 2, 0, SMALL[family])).eval() for family in SAMPLED}, turns)


if __name__ == "__main__":
    main()

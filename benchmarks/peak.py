"""How much of the machine's matrix-product rate the training of each family reaches, and a textbook's beside it.

Steps of all families take turns with products of large square matrices in bfloat16 and in float32, the best of which is
the peak. A step is what `nextpixel train` does; its useful arithmetic is counted in `benchmarks/arithmetic.py`. Three
tables:

- `families`: every family of 2016, at a usual size;
- `textbook`: the Gated PixelCNN beside `benchmarks/textbook_gated.py`, which has as many weights;
- `equal`: the later families beside a Gated PixelCNN of about as many weights.

    python benchmarks/peak.py [--only families,textbook,equal]

Where the processor does not multiply bfloat16 itself, everything is float32, as in `nextpixel train`. On a machine that
others use, `--busy` runs one thread and counts the processor's seconds instead of those that pass: they leave out the
time in which another process runs.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

import torch
from torch import Tensor

import nextpixel as nx
from arithmetic import count
from nextpixel.runtime.memory import keep_freed_memory
from nextpixel.training.precision import placed, use_bfloat16
from nextpixel.training.settings import TrainingSettings
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
        names = ("sizes", "layers", "block_layers", "features")
        sizes = " x ".join(str(self.options[name]) for name in names if name in self.options)
        return f"{self.family}, {sizes}, {self.shape[0]} x {self.shape[1]}^2, {self.levels} levels, batch {self.batch}"


GREY, COLOUR = (1, 28, 28), (3, 32, 32)
GATED = Case("gated-pixelcnn", GREY, 2, 64, {"features": 64, "layers": 8})
FAMILIES = [
    GATED,
    Case("pixelcnn", GREY, 2, 64, {"features": 32, "layers": 9}),
    Case("row-lstm", GREY, 2, 64, {"features": 16, "layers": 7}),
    Case("diagonal-bilstm", GREY, 2, 64, {"features": 16, "layers": 7}),
    Case("multiscale", GREY, 2, 64, {"features": 64, "layers": 4}),
    Case("autoencoder", GREY, 2, 64, {"features": 64, "layers": 8, "plain": False}),
    Case("gated-pixelcnn", COLOUR, 256, 16, {"features": 64, "layers": 8}),
    Case("pixelcnn", COLOUR, 256, 16, {"features": 32, "layers": 9}),
]
EQUAL = [
    GATED._replace(batch=16),
    Case("pixelcnn++", GREY, 2, 16, {"features": 26, "layers": 2, "sizes": 3, "head": "softmax"}),
    Case("pixelsnail", GREY, 2, 16, {"features": 64, "layers": 2, "block_layers": 4}),
    Case("locally-masked", GREY, 2, 16, {"features": 64, "layers": 6}),
]
TABLES = ("families", "textbook", "equal")
SIDES = (1024, 2048, 3072)


def products(dtypes: Sequence[torch.dtype]) -> dict[str, Callable[[], object]]:
    """Products of square matrices, by what they measure."""
    made: dict[str, Callable[[], object]] = {}
    for dtype in dtypes:
        for side in SIDES:
            one, other, out = (torch.randn(side, side).to(dtype) for _ in range(3))
            made[f"{dtype} {side}"] = partial(torch.mm, one, other, out=out)
    return made


def peak(times: Mapping[str, Sequence[float]], dtype: torch.dtype) -> float:
    """The best rate of a dtype's products, FLOP/s."""
    return max(2 * side**3 / min(times[f"{dtype} {side}"]) for side in SIDES)


def build(case: Case) -> nx.ImageModel:
    """The model of a case, as training has it."""
    torch.manual_seed(0)
    model = nx.build(case.family, image_shape=case.shape, levels=case.levels, **case.options)
    return placed(model).train()


def visible_weights(model: nx.ImageModel) -> int:
    """How many numbers are trained that no mask hides."""
    masked = [module for module in model.modules() if isinstance(module, nx.MaskedConv2d)]
    hidden = sum(int((module.mask == 0).sum()) for module in masked)
    return sum(parameter.numel() for parameter in model.parameters()) - hidden


def in_words(dtype: torch.dtype) -> str:
    """The name of a dtype."""
    return str(dtype).removeprefix("torch.")


class Row(NamedTuple):
    """A row of a table.

    Attributes:
        flop: of a step, for each image.
        weights: numbers that are trained and that no mask hides.
        batch: images of a step.
        step: takes one.
    """

    flop: float
    weights: int
    batch: int
    step: Callable[[], None]


class Benchmark:
    """Steps of models, which take turns.

    Args:
        dtypes: of the products of matrices; in the first of them the models are trained.
    """

    def __init__(self, dtypes: Sequence[torch.dtype]) -> None:
        self.dtypes = dtypes
        self.rows: dict[str, Row] = {}
        self.times: dict[str, list[float]] = {}
        self.peaks: list[float] = []

    def add(self, case: Case, name: str = "", *, compiled: bool = False, single: bool = False) -> None:
        """Add the training of a case.

        Args:
            case: the model and its batch.
            name: of the row; that of the case by default.
            compiled: whether it is compiled.
            single: whether it is float32 in any case.
        """
        name = name or str(case)
        if name in self.rows:
            return
        model = build(case)
        objective = torch.compile(model.log_prob) if compiled else model.log_prob
        bfloat16 = torch.bfloat16 in self.dtypes and not single
        step = training_step(model, objective, images_of(case), bfloat16=bfloat16)
        self.rows[name] = Row(count(model).flop, visible_weights(model), case.batch, step)

    def add_textbook(self, case: Case) -> None:
        """Add the textbook's network, of the size of a Gated PixelCNN that was added."""
        textbook = TextbookGatedPixelCNN(case.levels, case.options["features"], case.options["layers"])
        other = self.rows[str(case)]
        if textbook.visible != other.weights:
            raise SystemExit(f"the textbook's network has {textbook.visible} weights, the other one {other.weights}")
        step = training_step(textbook, textbook.log_prob, images_of(case), bfloat16=False)
        self.rows["textbook"] = other._replace(step=step)

    def run(self, turns: int, clock: Callable[[], float]) -> None:
        """Time everything."""
        steps = {name: row.step for name, row in self.rows.items()}
        self.times = alternately(products(self.dtypes) | steps, turns, warm_up=2, clock=clock)
        self.peaks = [peak(self.times, dtype) for dtype in self.dtypes]
        rates = ", ".join(
            f"{in_words(one)} {rate / 1e9:.0f}" for one, rate in zip(self.dtypes, self.peaks, strict=True)
        )
        print(f"products of matrices, GFLOP/s: {rates}")

    def table(self, names: Sequence[str], reference: str) -> None:
        """Print rows.

        Args:
            names: of the rows.
            reference: a row; the last column has its time an image over that of the other one.
        """
        shares = "".join(f"{'of ' + in_words(dtype):>12}" for dtype in self.dtypes)
        first = f"{'weights':>9}{'GFLOP an image':>15}{'ms a step':>10}{'images/s':>9}{'GFLOP/s':>8}"
        print(f"\n{'':60}{first}{shares}{'speed':>7}")
        for name in names:
            row, middle = self.rows[name], statistics.median(self.times[name])
            rate = row.flop * row.batch / middle
            shares = "".join(f"{rate / best:12.0%}" for best in self.peaks)
            numbers = f"{row.weights:9,}{row.flop / 1e9:15.3f}{1000 * middle:10.0f}"
            speed = ratio(self.times[reference], self.times[name]) * row.batch / self.rows[reference].batch
            print(f"{name:60}{numbers}{row.batch / middle:9.1f}{rate / 1e9:8.0f}{shares}{speed:7.2f}")


def images_of(case: Case) -> Tensor:
    """A batch of a case."""
    return torch.randint(case.levels, (case.batch, *case.shape), dtype=torch.uint8)


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default=",".join(TABLES), help="which tables, separated by commas")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--turns", type=int, default=7)
    parser.add_argument("--busy", action="store_true", help="one thread, and seconds of the processor")
    parser.add_argument("--no-compile", action="store_true", help="leave the compiled variants out")
    arguments = parser.parse_args()
    only = arguments.only.split(",")
    if unknown := set(only) - set(TABLES):
        parser.error(f"there is no table {', '.join(sorted(unknown))}; there are {', '.join(TABLES)}")
    threads, clock = (1, time.process_time) if arguments.busy else (arguments.threads, time.perf_counter)
    torch.set_num_threads(threads)
    kept = keep_freed_memory()
    print(f"{processor()}; {threads} thread(s); torch {torch.__version__}; freed memory is kept: {kept}")

    bfloat16 = use_bfloat16(TrainingSettings(steps=1), torch.device("cpu"))
    benchmark = Benchmark([torch.bfloat16, torch.float32] if bfloat16 else [torch.float32])
    beside = ["textbook", str(GATED)]
    for case in [*(FAMILIES if "families" in only else ()), *(EQUAL if "equal" in only else ())]:
        benchmark.add(case)
    if "textbook" in only:
        benchmark.add(GATED)
        benchmark.add_textbook(GATED)
        if bfloat16:
            benchmark.add(GATED, "the same in float32", single=True)
            beside.append("the same in float32")
        if not arguments.no_compile:
            benchmark.add(GATED, "the same, compiled", compiled=True)
            beside.append("the same, compiled")
    benchmark.run(arguments.turns, clock)

    if "families" in only:
        benchmark.table([str(case) for case in FAMILIES], str(GATED))
    if "equal" in only:
        benchmark.table([str(case) for case in EQUAL], str(EQUAL[0]))
    if "textbook" in only:
        benchmark.table(beside, "textbook")
        step = benchmark.rows[str(GATED)].flop * GATED.batch / benchmark.peaks[0]
        bound = statistics.median(benchmark.times["textbook"]) / step
        print(f"{'all arithmetic at the peak of ' + in_words(benchmark.dtypes[0]):60}{bound:70.2f}")


if __name__ == "__main__":
    main()

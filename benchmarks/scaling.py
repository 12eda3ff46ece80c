"""What training takes on GPUs, on paper: a formula, and the counts of the real models that go into it.

The arithmetic and the calls of PyTorch are counted on the models themselves (`benchmarks/arithmetic.py`); the rates of
the machine are assumptions, all of them options. `benchmarks/gpu.py` measures on one GPU what is foretold here.

    arithmetic  A = F b / (u P)                 F useful FLOP an image, b images a GPU, u utilisation, P peak
    calls       L = n t                         n calls of PyTorch a step, t microseconds each
    exchange    X = 2 (k - 1) / k . 4 W / B     ring all-reduce of W float32 gradients over k GPUs, B bytes/s a GPU
    step        max(A, L) + X                   nothing of the exchange hidden behind the backward pass
    images/s    k b / step

    python benchmarks/scaling.py
"""

from __future__ import annotations

import argparse
from typing import Any

import torch

import nextpixel as nx
from arithmetic import Count, count

SMALL = {
    "gated-pixelcnn": {"features": 64, "layers": 8},
    "pixelcnn": {"features": 32, "layers": 9},
    "row-lstm": {"features": 16, "layers": 7},
    "diagonal-bilstm": {"features": 16, "layers": 7},
    "multiscale": {"features": 64, "layers": 4},
    "autoencoder": {"features": 64, "layers": 8, "plain": False},
}
PAPER: dict[str, dict[str, Any]] = {
    "gated-pixelcnn": {"features": 384, "layers": 20, "kernel_size": 5},
    "row-lstm": {"features": 384, "layers": 12},
}
IMAGES = 1_281_167
WITHIN = 8
"""GPUs of a machine, joined by NVLink."""


def counted(family: str, shape: tuple[int, int, int], levels: int, options: dict[str, Any], batch: int) -> Count:
    """The count of a new model."""
    torch.manual_seed(0)
    return count(nx.build(family, image_shape=shape, levels=levels, **options), batch)


def step_seconds(work: Count, gpus: int, arguments: argparse.Namespace, utilisation: float) -> tuple[float, ...]:
    """Arithmetic, calls, exchange and their combination, in seconds a step."""
    arithmetic = work.flop * arguments.batch_size / (utilisation * arguments.peak)
    calls = work.operations * arguments.call
    bandwidth = arguments.nvlink if gpus <= WITHIN else arguments.network
    exchange = 2 * (gpus - 1) / gpus * 4 * work.parameters / bandwidth
    return arithmetic, calls, exchange, max(arithmetic, calls) + exchange


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peak", type=float, default=989e12, help="dense bfloat16 FLOP/s of a GPU (H100 SXM)")
    parser.add_argument("--utilisation", type=float, default=0.3, help="part of the peak that convolutions reach")
    parser.add_argument("--recurrent", type=float, default=0.05, help="part of it that a scan's small products reach")
    parser.add_argument("--call", type=float, default=25e-6, help="seconds from one call of PyTorch to the next")
    parser.add_argument("--nvlink", type=float, default=450e9, help="bytes/s a GPU within a machine")
    parser.add_argument("--network", type=float, default=50e9, help="bytes/s a GPU between machines (400 Gbit/s)")
    parser.add_argument("--batch-size", type=int, default=32, help="images a GPU")
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)

    print(f"{'28 x 28, 2 levels':24}{'parameters':>12}{'GFLOP an image':>16}{'calls a step':>14}{'MB, 8 GPUs':>12}")
    for family, options in SMALL.items():
        work = counted(family, (1, 28, 28), 2, options, batch=8)
        exchanged = 2 * 7 / 8 * 4 * work.parameters / 1e6
        print(f"{family:24}{work.parameters:12,}{work.flop / 1e9:16.3f}{work.operations:14,}{exchanged:12.2f}")

    print(
        f"\n{'32 x 32, RGB, 256 levels':30}{'GPUs':>5}{'ms: A':>9}{'L':>8}{'X':>8}{'images/s':>10}{'hours/epoch':>13}"
    )
    for family, options in PAPER.items():
        work = counted(family, (3, 32, 32), 256, options, batch=2)
        utilisation = arguments.recurrent if family == "row-lstm" else arguments.utilisation
        print(
            f"{family}, {work.parameters:,} parameters, {work.flop / 1e9:.0f} GFLOP an image, {work.operations:,} calls"
        )
        for gpus in (1, 8, 64):
            *parts, step = step_seconds(work, gpus, arguments, utilisation)
            speed = gpus * arguments.batch_size / step
            columns = "".join(f"{1000 * part:{width}.1f}" for part, width in zip(parts, (9, 8, 8), strict=True))
            print(f"{'':30}{gpus:5}{columns}{speed:10,.0f}{IMAGES / speed / 3600:13.2f}")


if __name__ == "__main__":
    main()

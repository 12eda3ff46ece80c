"""Training speed of a model as nextpixel trains it, as ratios to the same model in plain float32.

The reference runs the same weights eagerly, in float32 and in PyTorch's default (contiguous) memory layout. Every
variant takes one step in turn, again and again, so that all of them meet the same moods of the machine; the table gives
the median step time and the median of the ratios taken turn by turn.

    python benchmarks/training.py --features 64 --layers 8
"""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Callable
from unittest import mock

import torch
from torch import Tensor

import nextpixel as nx
from nextpixel.nn.conditioning import Context
from nextpixel.training.precision import placed
from timing import alternately, processor, ratio, training_step


def make_step(
    arguments: argparse.Namespace, *, channels_last: bool, bfloat16: bool, compiled: bool
) -> Callable[[], None]:
    """One optimiser step of a fresh model in one of the variants."""
    torch.manual_seed(0)
    shape = (arguments.channels, arguments.size, arguments.size)
    model = nx.build(
        arguments.model,
        image_shape=shape,
        levels=arguments.levels,
        features=arguments.features,
        layers=arguments.layers,
    )
    if channels_last:
        placed(model)
    else:
        # A model lays its inputs out channels last by itself; the reference must not profit from that.
        network = model._network

        def contiguous(inputs: Tensor, context: Context | None) -> Tensor:
            return network(inputs.contiguous(memory_format=torch.contiguous_format), context)

        mock.patch.object(model, "_network", contiguous).start()
    images = torch.randint(arguments.levels, (arguments.batch_size, *shape), dtype=torch.uint8)
    objective = torch.compile(model.log_prob) if compiled else model.log_prob
    return training_step(model, objective, images, bfloat16=bfloat16)


def main() -> None:
    """Time all variants alternately and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="gated-pixelcnn")
    parser.add_argument("--features", type=int, default=64)
    parser.add_argument("--layers", type=int, default=8)
    parser.add_argument("--channels", type=int, default=1)
    parser.add_argument("--size", type=int, default=28)
    parser.add_argument("--levels", type=int, default=2)
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--turns", type=int, default=11)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    print(f"{processor()}; {arguments.threads} threads; torch {torch.__version__}")
    variants = {
        "float32": make_step(arguments, channels_last=False, bfloat16=False, compiled=False),
        "float32, channels last": make_step(arguments, channels_last=True, bfloat16=False, compiled=False),
        "bfloat16, channels last": make_step(arguments, channels_last=True, bfloat16=True, compiled=False),
        "bfloat16, channels last, compiled": make_step(arguments, channels_last=True, bfloat16=True, compiled=True),
    }
    times = alternately(variants, arguments.turns, warm_up=2)
    print(f"{'':36}{'ms a step':>10}{'images/s':>10}{'ratio':>8}")
    for name, each in times.items():
        middle = statistics.median(each)
        print(
            f"{name:36}{1000 * middle:10.0f}{arguments.batch_size / middle:10.0f}{ratio(times['float32'], each):8.2f}"
        )


if __name__ == "__main__":
    main()

"""The families side by side: parameters, what a sub-pixel sees, and training speed, as ratios to the first one's.

Each takes a step in turn, again and again, in float32 (the PixelRNNs' recurrence is float32 in any case).

    python benchmarks/families.py
    python benchmarks/families.py --only "gated-pixelcnn, 8" pixelsnail pixelcnn++ locally-masked
"""

from __future__ import annotations

import argparse
import statistics

import torch

import nextpixel as nx
from nextpixel.training.precision import placed
from timing import alternately, processor, ratio, training_step

MODELS: dict[str, tuple[str, dict[str, int | str]]] = {
    "pixelcnn, 9 x 32": ("pixelcnn", {"features": 32, "layers": 9}),
    "gated-pixelcnn, 6 x 64, 5 x 5": ("gated-pixelcnn", {"features": 64, "layers": 6, "kernel_size": 5}),
    "row-lstm, 7 x 16": ("row-lstm", {"features": 16, "layers": 7}),
    "diagonal-bilstm, 1 x 32": ("diagonal-bilstm", {"features": 32, "layers": 1}),
    "diagonal-bilstm, 7 x 16": ("diagonal-bilstm", {"features": 16, "layers": 7}),
    # Of about as many parameters as each other.
    "gated-pixelcnn, 8 x 64": ("gated-pixelcnn", {"features": 64, "layers": 8}),
    "pixelsnail, 2 x 4 x 64": ("pixelsnail", {"features": 64, "layers": 2, "block_layers": 4}),
    "pixelcnn++, 3 x 2 x 26": ("pixelcnn++", {"features": 26, "layers": 2, "sizes": 3, "head": "softmax"}),
    "locally-masked, 6 x 64": ("locally-masked", {"features": 64, "layers": 6}),
}


def main() -> None:
    """Time all models alternately and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, default=28)
    parser.add_argument("--levels", type=int, default=2)
    parser.add_argument("--batch-size", type=int, default=16)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--turns", type=int, default=9)
    parser.add_argument("--only", nargs="+", default=[""], help="beginnings of the names of those that are timed")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    shape = (1, arguments.size, arguments.size)
    images = torch.randint(arguments.levels, (arguments.batch_size, *shape), dtype=torch.uint8)
    models = {
        name: placed(nx.build(family, image_shape=shape, levels=arguments.levels, condition=None, **options))
        for name, (family, options) in MODELS.items()
        if name.startswith(tuple(arguments.only))
    }
    steps = {name: training_step(model, model.log_prob, images, bfloat16=False) for name, model in models.items()}
    times = alternately(steps, arguments.turns)
    reference = next(iter(times.values()))
    print(
        f"{processor()}; {arguments.threads} thread(s); torch {torch.__version__}; {arguments.batch_size} images a step"
    )
    print(f"{'':32}{'parameters':>11}{'sees':>7}{'ms a step':>11}{'images/s':>10}{'ratio':>7}")
    for name, model in models.items():
        rank = model.order.flatten()
        past = rank[None, :] < rank[:, None]
        seen = float((model.receptive_field().sum(1)[1:] / past.sum(1)[1:]).mean())
        parameters = sum(parameter.numel() for parameter in model.parameters())
        middle = statistics.median(times[name])
        speed = arguments.batch_size / middle
        relative = ratio(times[name], reference)
        print(f"{name:32}{parameters:11,}{seen:7.0%}{1000 * middle:11.0f}{speed:10.0f}{relative:7.2f}")


if __name__ == "__main__":
    main()

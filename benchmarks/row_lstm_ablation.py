"""The ablation of arXiv 1601.06759 in small: residual and skip connections, and depth, of the Row LSTM.

Every variant is trained for the same number of steps on the same images in the same order, and evaluated on all
validation images. Black-and-white images are sub-sampled by `--stride`, so that all variants together take minutes.

    python benchmarks/row_lstm_ablation.py mnist-binarized-train.npz --valid mnist-binarized-valid.npz --stride 2
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np
import torch

import nextpixel as nx
from nextpixel.training.api import train
from nextpixel.training.settings import TrainingSettings

VARIANTS = [
    {"layers": 1, "residual": True, "skips": True},
    {"layers": 3, "residual": True, "skips": True},
    {"layers": 6, "residual": True, "skips": True},
    {"layers": 6, "residual": True, "skips": False},
    {"layers": 6, "residual": False, "skips": True},
    {"layers": 6, "residual": False, "skips": False},
]


def sub_sampled(path: str, stride: int) -> nx.ImageSet:
    """The images with every `stride`-th row and column."""
    whole = nx.open_images(path)
    if stride == 1:
        return whole
    pixels = whole[:][..., ::stride, ::stride].numpy()
    with tempfile.TemporaryDirectory() as folder:
        small = Path(folder) / f"{Path(path).stem}-every-{stride}.npz"
        np.savez(
            small, images=pixels[:, 0] if len(pixels[0]) == 1 else pixels.transpose(0, 2, 3, 1), levels=whole.levels
        )
        return nx.open_images(small)


def main() -> None:
    """Train all variants and print the table as Markdown."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data")
    parser.add_argument("--valid", required=True)
    parser.add_argument("--stride", type=int, default=1)
    parser.add_argument("--features", type=int, default=16)
    parser.add_argument("--steps", type=int, default=1500)
    parser.add_argument("--batch-size", type=int, default=16)
    parser.add_argument("--learning-rate", type=float, default=3e-3)
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    images, valid = (sub_sampled(path, arguments.stride) for path in (arguments.data, arguments.valid))
    settings = TrainingSettings(
        steps=arguments.steps,
        batch_size=arguments.batch_size,
        learning_rate=arguments.learning_rate,
        ema=0.995,
        validations=1,
        valid_images=1000,
        grids=0,
    )
    print(
        "| layers | residual | skips | parameters | minutes | nats | bits/dim |\n|---|---|---|---|---|---|---|",
        flush=True,
    )
    for variant in VARIANTS:
        torch.manual_seed(0)
        model = nx.build(
            "row-lstm",
            image_shape=images.image_shape,
            levels=images.levels,
            condition=None,
            features=arguments.features,
            **variant,
        )
        parameters = sum(parameter.numel() for parameter in model.parameters())
        start = time.monotonic()
        with tempfile.TemporaryDirectory() as folder:
            found = train(model, images, Path(folder) / "run", valid, settings)
        cells = [
            str(variant["layers"]),
            "yes" if variant["residual"] else "no",
            "yes" if variant["skips"] else "no",
            f"{parameters:,}",
            f"{(time.monotonic() - start) / 60:.1f}",
            f"{found.nats:.2f} ± {found.nats_standard_error:.2f}",
            f"{found.bits_per_dim:.4f}",
        ]
        print(f"| {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()

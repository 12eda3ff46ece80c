r"""Train what a likelihood ratio divides by: small background models at several rates of mutation, and a local model.

    python benchmarks/backgrounds.py RUN IMAGES --out runs/backgrounds [--mutation 0.1 0.2 0.3] [--steps 1200]

IMAGES are those that RUN was trained on; what it held out stays out here too. The published sweep takes backgrounds of
the size of the model (`nextpixel train --background-of`); these are a fraction of it, so that each takes a few minutes
of one core. The ratio of the full to the local model is after Zhang et al. 2021, arXiv 2109.02639. The folders are
for `benchmarks/anomaly.py`.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any

import torch

import nextpixel as nx
from nextpixel.data import ImageSet
from nextpixel.training.division import held_out_of

SMALL: dict[str, Any] = {"features": 16, "layers": 4, "kernel_size": 3, "head_features": 32}
LOCAL: dict[str, Any] = {"features": 48, "layers": 2, "kernel_size": 5, "distance": 4, "head": "softmax"}
VALIDATED = 500


def main() -> None:
    """Train one after another; what is there already stays."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run")
    parser.add_argument("images")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--mutation", type=float, nargs="*", default=[0.1, 0.2, 0.3])
    parser.add_argument("--weight-decay", type=float, default=0.0, help="L2, of the backgrounds")
    parser.add_argument("--local", action="store_true", help="train the local model")
    parser.add_argument("--steps", type=int, default=1200, help="of 16 images")
    options = parser.parse_args()
    torch.set_num_threads(1)
    model = nx.load(options.run)
    parts = held_out_of(model, nx.open_images(options.images, levels=model.levels))
    if parts is None:
        raise SystemExit(f"{options.images} is not what {options.run} was trained on")
    training, valid = parts.training, parts.valid.subset(range(VALIDATED))
    for rate in options.mutation:
        name = f"mutation-{rate:g}" + (f"-l2-{options.weight_decay:g}" if options.weight_decay else "")
        network = untrained(model.family, SMALL, training)
        fit(network, training.mutated(rate), valid.mutated(rate), options.out / name, options)
    if options.local:
        fit(untrained("local-pixelcnn", LOCAL, training), training, valid, options.out / "local", options)


def untrained(family: str, sizes: dict[str, Any], images: ImageSet) -> nx.ImageModel:
    torch.manual_seed(0)
    return nx.build(family, image_shape=images.image_shape, levels=images.levels, **sizes)


def fit(network: nx.ImageModel, images: ImageSet, valid: ImageSet, out: Path, options: argparse.Namespace) -> None:
    """Train a network, unless it is there."""
    if out.exists():
        return
    settings = nx.TrainingSettings(
        steps=options.steps,
        batch_size=16,
        learning_rate=0.003,
        weight_decay=options.weight_decay,
        ema=0.99,
        validations=2,
        valid_images=VALIDATED,
        grids=0,
    )
    start = time.process_time()
    nx.train(network, images, out, valid, settings)
    print(f"{out.name}: {(time.process_time() - start) / 60:.1f} CPU minutes", flush=True)


if __name__ == "__main__":
    main()

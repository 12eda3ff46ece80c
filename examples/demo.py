"""Train a Gated PixelCNN on scikit-learn's digits in under three minutes, and look at what it learned.

The digits are 1,797 real images of 8 x 8 pixels with 17 grey levels; they come along, so nothing is
downloaded. Run it with `make demo`.
"""

from __future__ import annotations

import argparse
import io
import json
import shutil
from pathlib import Path

import numpy as np
import torch
from matplotlib.figure import Figure
from PIL import Image

import nextpixel as nx

SHOWN, FEW_STEPS = 64, 200


def draw_curve(lines: list[dict], path: Path) -> None:
    """What the run wrote into `metrics.jsonl`: bits per dimension against steps."""
    figure = Figure((7, 4), layout="constrained")
    axes = figure.add_subplot()
    for key, label in (("train_bits_per_dim", "training batches"), ("valid_bits_per_dim", "validation")):
        points = [(line["step"], line[key]) for line in lines if key in line]
        axes.plot(*np.array(points).reshape(-1, 2).T, label=label)
    axes.set(xlabel="step", ylabel="bits per dimension")
    axes.legend()
    figure.savefig(path)


def independent_pixels(training: torch.Tensor, images: torch.Tensor, levels: int) -> float:
    """Bits per dimension where each pixel has its own frequencies of levels, and knows of no other pixel."""
    counts = 1 + torch.nn.functional.one_hot(training.long(), levels).sum(dim=0).double()
    bits = -(counts / counts.sum(dim=-1, keepdim=True)).log2()
    return bits.expand(len(images), *bits.shape).gather(-1, images.long()[..., None]).mean().item()


def one_sheet(images: torch.Tensor, form: str) -> float:
    """Bits per dimension of a picture file that holds all images, one below the other."""
    buffer = io.BytesIO()
    Image.fromarray(images[:, 0].flatten(0, 1).numpy()).save(buffer, format=form, optimize=True, lossless=True)
    return 8 * len(buffer.getvalue()) / images.numel()


def main() -> None:
    """Train, evaluate, sample, and say where the pictures are."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=2.5, help="time for training")
    parser.add_argument("--out", type=Path, default=Path("runs/demo"), help="run folder, replaced if it exists")
    arguments = parser.parse_args()
    shutil.rmtree(arguments.out, ignore_errors=True)

    digits = nx.open_images("digits")
    training, valid, test = (digits.split(name) for name in ("train", "valid", "test"))
    torch.manual_seed(0)
    model = nx.build(
        "gated-pixelcnn", image_shape=digits.image_shape, levels=digits.levels, features=64, layers=6, dropout=0.5
    )
    print(f"training a Gated PixelCNN on {len(training):,} images of digits for {arguments.minutes:g} minutes")
    settings = nx.TrainingSettings(minutes=arguments.minutes, batch_size=32, learning_rate=2e-3)
    nx.train(model, training, arguments.out, valid, settings)

    model = nx.load(arguments.out)
    likelihood = nx.evaluate(model, test)
    samples = model.sample(SHOWN, generator=torch.Generator().manual_seed(0))
    picture = arguments.out / "samples.png"
    real = test[:SHOWN]
    nx.show({"real": real, "generated": samples}, digits.levels).save(picture)
    lines = [json.loads(line) for line in (arguments.out / "metrics.jsonl").read_text().splitlines()]
    curve = arguments.out / "learning-curve.png"
    draw_curve(lines, curve)

    steps = max(line["step"] for line in lines)
    if steps < FEW_STEPS:
        print(
            f"\nthis machine is slow or busy: it took {steps:,} steps in {arguments.minutes:g} minutes, where a laptop "
            f"takes some hundreds; for better figures and samples give it longer: --minutes {10 * arguments.minutes:g}"
        )
    pixels = test[:]
    print(f"\ntest images, bits/dim ({len(test)} images, lower is better)")
    for name, bits in (
        ("independent pixels", independent_pixels(training[:], pixels, digits.levels)),
        ("PNG, one sheet", one_sheet(pixels, "PNG")),
        ("WebP lossless, one sheet", one_sheet(pixels, "WebP")),
        ("this model", likelihood.bits_per_dim),
    ):
        print(f"  {name:26}{bits:6.3f}")
    print(f"this model: {likelihood}")
    print(f"\nreal and generated images: {picture}\nlearning curve:            {curve}")
    print(f"\nnow yours: .venv/bin/nextpixel train FOLDER_OF_IMAGES --out runs/mine; more: {arguments.out}/README.md")


if __name__ == "__main__":
    main()

"""Train a Gated PixelCNN on scikit-learn's digits in under three minutes, and look at what it learned.

The digits are 1,797 real images of 8 x 8 pixels with 17 grey levels; they come along, so nothing is
downloaded. Run it with `make demo`.
"""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path

import torch

import nextpixel as nx
from nextpixel.rendering.curve import learning_curve
from nextpixel.rendering.grid import beside, grid, save_picture
from nextpixel.scoring.references import independent_sub_pixels, sheet_bits_per_dim
from nextpixel.training.run_folder import RunFolder, read_metrics

SHOWN, FEW_STEPS = 64, 200


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
    save_picture(beside({"real": grid(real, 17), "generated": grid(samples, 17)}), picture)
    curve = arguments.out / "learning-curve.png"
    learning_curve(read_metrics(RunFolder(arguments.out).metrics), curve)

    steps = max(line["step"] for line in read_metrics(RunFolder(arguments.out).metrics))
    if steps < FEW_STEPS:
        print(
            f"\nthis machine is slow or busy: it took {steps:,} steps in {arguments.minutes:g} minutes, where a laptop "
            f"takes some hundreds; for better figures and samples give it longer: --minutes {10 * arguments.minutes:g}"
        )
    pixels = test[:]
    print(f"\ntest images, bits/dim ({len(test)} images, lower is better)")
    for name, bits in (
        ("independent pixels", independent_sub_pixels(training[:], pixels, digits.levels)),
        ("PNG, one sheet", sheet_bits_per_dim(pixels, "PNG")),
        ("WebP lossless, one sheet", sheet_bits_per_dim(pixels, "WebP")),
        ("this model", likelihood.bits_per_dim),
    ):
        print(f"  {name:26}{bits:6.3f}")
    print(f"this model: {likelihood}")
    print(f"\nreal and generated images: {picture}\nlearning curve:            {curve}")
    print(f"\nnow yours: .venv/bin/nextpixel train FOLDER_OF_IMAGES --out runs/mine; more: {arguments.out}/README.md")


if __name__ == "__main__":
    main()

"""A model of your own pictures: a folder with one sub-folder for each class, from the files to samples of every class.

Without --folder the pictures are scikit-learn's digits, written as PNG files first. On the command line the same is

    nextpixel train FOLDER --condition labels --resize 32x32 --mode rgb --out RUN
    nextpixel sample RUN --label all --out samples.png

    .venv/bin/python examples/own_folder.py
    .venv/bin/python examples/own_folder.py --folder MINE --size 32 --steps 5000
"""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path

import torch
from PIL import Image

import nextpixel as nx

HELD_OUT = 10
"""One picture in so many is held out, to tell how likely new ones are."""


def write_digits(folder: Path) -> None:
    """Digits as PNG files, in a folder for each class."""
    digits = nx.open_images("digits")
    for number, (image, label) in enumerate(zip(digits[:], digits.labels.tolist(), strict=True)):
        path = folder / str(label) / f"{number:04d}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        brightness = image[0].double() * 255 / (digits.levels - 1)
        Image.fromarray(brightness.round().byte().numpy()).save(path)


def main() -> None:
    """Read the folder, train, evaluate, and draw every class."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, help="pictures, in one sub-folder for each class")
    parser.add_argument("--size", type=int, default=8, help="height and width the pictures are brought to")
    parser.add_argument("--levels", type=int, default=16, help="levels they are quantised to; 256 keeps all")
    parser.add_argument("--steps", type=int, default=600)
    parser.add_argument("--out", type=Path, default=Path("runs/own-folder"), help="replaced if it exists")
    arguments = parser.parse_args()
    if any(given and given.resolve().is_relative_to(arguments.out.resolve()) for given in (arguments.folder,)):
        parser.error(f"--out {arguments.out} is replaced, and what was given lies in it; choose another folder")
    shutil.rmtree(arguments.out, ignore_errors=True)
    folder = arguments.folder
    if folder is None:
        folder = arguments.out / "pictures"
        write_digits(folder)

    images = nx.open_images(folder, resize=(arguments.size, arguments.size), levels=arguments.levels)
    print(f"{len(images):,} pictures of {', '.join(images.label_names or ['no class'])}: {images}")
    # Files are sorted by class, so that every tenth one is of every class.
    held_out = torch.arange(len(images)) % HELD_OUT == 0
    valid, training = (images.subset(chosen.nonzero()[:, 0]) for chosen in (held_out, ~held_out))

    torch.manual_seed(0)
    classes = nx.Labels(len(images.label_names), images.label_names)
    model = nx.build(
        "gated-pixelcnn",
        image_shape=images.image_shape,
        levels=images.levels,
        condition=classes,
        features=32,
        layers=6,
        dropout=0.2,
    )
    settings = nx.TrainingSettings(steps=arguments.steps, batch_size=32, learning_rate=2e-3, grids=0)
    nx.train(model, training, arguments.out / "run", valid, settings)

    model = nx.load(arguments.out / "run")
    print(f"held-out pictures, each given its class: {nx.evaluate(model, valid)}")
    labels = torch.arange(classes.count).repeat_interleave(10)
    samples = model.sample(len(labels), labels, generator=torch.Generator().manual_seed(0))
    picture = arguments.out / "samples.png"
    nx.show(samples, model.levels, columns=10).save(picture)
    print(f"ten of each class, a row each: {picture}; the model: {arguments.out / 'run'}")


if __name__ == "__main__":
    main()

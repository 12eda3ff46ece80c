"""Variations of an image that share what another network sees in it (arXiv 1606.05328, section 2.3).

The paper conditions a PixelCNN on embeddings of portraits by a face recogniser. In small: a classifier of sklearn's
digits is trained here, and the activations of its last hidden layer are the embeddings. A Gated PixelCNN learns to draw
digits from them. Given the embedding of a digit that neither network has seen, it draws variations: other digits that
the classifier takes for much the same.

    .venv/bin/python examples/variations.py
"""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.neural_network import MLPClassifier

import nextpixel as nx

SIZE = 24
ROWS, COLUMNS = 10, 8


def embed(classifier: MLPClassifier, images: torch.Tensor) -> NDArray[np.float32]:
    """Activations of the classifier's last hidden layer, `[N, SIZE]`."""
    activations = images.flatten(1).double().numpy() / 16
    for weights, biases in list(zip(classifier.coefs_, classifier.intercepts_, strict=True))[:-1]:
        activations = np.maximum(activations @ weights + biases, 0)
    return activations.astype(np.float32)


def main() -> None:
    """Train both networks, draw, and say where the pictures are."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=3.0, help="time for training the PixelCNN")
    parser.add_argument("--out", type=Path, default=Path("runs/variations"), help="run folder, replaced if it exists")
    arguments = parser.parse_args()
    shutil.rmtree(arguments.out, ignore_errors=True)

    digits = nx.open_images("digits")
    training, valid, test = (digits.split(name) for name in ("train", "valid", "test"))
    labels = {split: images.labels.numpy() for split, images in (("train", training), ("test", test))}
    classifier = MLPClassifier((64, SIZE), alpha=0.01, max_iter=500, random_state=0)
    classifier.fit(training[:].flatten(1).numpy() / 16, labels["train"])
    accuracy = classifier.score(test[:].flatten(1).numpy() / 16, labels["test"])
    print(f"the classifier names {accuracy:.1%} of the test digits; its last hidden layer has {SIZE} units")
    embedded = {
        split: images.with_condition(torch.from_numpy(embed(classifier, images[:])))
        for split, images in (("train", training), ("valid", valid), ("test", test))
    }

    torch.manual_seed(0)
    model = nx.build(
        "gated-pixelcnn",
        image_shape=digits.image_shape,
        levels=digits.levels,
        condition=nx.Vector(SIZE),
        features=64,
        layers=6,
        dropout=0.5,
    )
    settings = nx.TrainingSettings(minutes=arguments.minutes, batch_size=32, learning_rate=2e-3, grids=0)
    nx.train(model, embedded["train"], arguments.out, embedded["valid"], settings)

    model = nx.load(arguments.out)
    codes = embedded["test"].condition
    own, others = nx.evaluate(model, embedded["test"]), nx.evaluate(model, test, codes.roll(1, 0))
    print(f"\ntest digits, each given its own embedding:       {own}")
    print(f"test digits, each given another one's embedding: {others}")

    generator = torch.Generator().manual_seed(0)
    chosen = codes[:ROWS]
    drawn = model.sample(ROWS * COLUMNS, chosen.repeat_interleave(COLUMNS, dim=0), generator=generator)
    agreed = classifier.predict(drawn.flatten(1).numpy() / 16) == np.repeat(labels["test"][:ROWS], COLUMNS)
    print(f"the classifier names {agreed.mean():.1%} of the variations as the digits they are variations of")
    originals = test[:ROWS]
    steps = torch.stack([torch.lerp(chosen[:-1], chosen[1:], step / (COLUMNS - 1)) for step in range(COLUMNS)], dim=1)
    between = model.sample((ROWS - 1) * COLUMNS, steps.flatten(0, 1), generator=generator)
    picture = arguments.out / "variations.png"
    panels = {
        "held out": nx.show(originals, 17, columns=1, scale=6),
        "variations": nx.show(drawn, 17, columns=COLUMNS, scale=6),
        "from each to the next": nx.show(between, 17, columns=COLUMNS, scale=6),
    }
    nx.show(panels).save(picture)
    print(f"variations, and ways from one embedding to the next: {picture}")


if __name__ == "__main__":
    main()

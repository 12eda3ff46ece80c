"""A prior over the codes of a vector-quantising autoencoder (VQ-VAE): a model of integer maps instead of pixels.

An encoder turns each image into a small map of integers, the numbers of entries of its code book. A model of those maps
draws new ones, which the decoder turns into images. The entries have no order, so the model learns features of each
(`level_features`) besides taking their numbers for a brightness. Any encoder will do: give its codes as an .npz with
`codes`, integers [N, H, W] in 0..K-1 with K up to 256; new codes are written as an .npz with `codes` likewise.

Without --codes, a tiny encoder is made here: k-means over the 2 x 2 patches of scikit-learn's digits, so a digit is
a map of 4 x 4 numbers, and the decoder puts the mean patches back.

    .venv/bin/python examples/vq_prior.py
    .venv/bin/python examples/vq_prior.py --codes codes.npz --steps 20000 --features 128 --layers 12
"""

from __future__ import annotations

import argparse
import math
import shutil
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.cluster import KMeans

import nextpixel as nx

ENTRIES, PATCH, SHOWN = 32, 2, 64


class PatchCoder:
    """The simplest encoder and decoder: each patch of an image is its nearest entry of the code book."""

    def __init__(self, images: torch.Tensor) -> None:
        self.means = KMeans(ENTRIES, n_init=1, random_state=0).fit(self._patches(images).reshape(-1, PATCH**2))

    def encode(self, images: torch.Tensor) -> NDArray[np.uint8]:
        """Images `[N, 1, 8, 8]` as codes `[N, 4, 4]`."""
        patches = self._patches(images)
        return self.means.predict(patches.reshape(-1, PATCH**2)).reshape(patches.shape[:3]).astype(np.uint8)

    def decode(self, codes: NDArray[np.integer]) -> torch.Tensor:
        """Codes `[N, 4, 4]` as images `[N, 1, 8, 8]`."""
        patches = self.means.cluster_centers_[codes].reshape(*codes.shape, PATCH, PATCH)
        images = patches.transpose(0, 1, 3, 2, 4).reshape(len(codes), 1, 8, 8)
        return torch.from_numpy(np.clip(np.rint(images), 0, 16).astype(np.uint8))

    @staticmethod
    def _patches(images: torch.Tensor) -> NDArray[np.float64]:
        cut = images[:, 0].unfold(1, PATCH, PATCH).unfold(2, PATCH, PATCH)
        return cut.flatten(3).double().numpy()


def main() -> None:
    """Train the prior, draw codes, and decode them where the decoder is known."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--codes", type=Path, help=".npz with codes, integers [N, H, W] in 0..K-1, K at most 256")
    parser.add_argument("--model", default="gated-pixelcnn")
    parser.add_argument("--features", type=int, default=64)
    parser.add_argument("--layers", type=int, default=4)
    parser.add_argument("--level-features", type=int, default=16, help="learned features of each entry; 0 for none")
    parser.add_argument("--steps", type=int, default=500)
    parser.add_argument("--out", type=Path, default=Path("runs/vq-prior"), help="replaced if it exists")
    arguments = parser.parse_args()
    if any(given and given.resolve().is_relative_to(arguments.out.resolve()) for given in (arguments.codes,)):
        parser.error(f"--out {arguments.out} is replaced, and what was given lies in it; choose another folder")
    shutil.rmtree(arguments.out, ignore_errors=True)
    arguments.out.mkdir(parents=True)

    coder = None
    if arguments.codes is None:
        digits = nx.open_images("digits")[:]
        coder = PatchCoder(digits)
        codes = coder.encode(digits)
    else:
        with np.load(arguments.codes, allow_pickle=False) as file:
            codes = file["codes"]
    entries = int(codes.max()) + 1
    # What opens as a set of images with so many levels is, for a model, nothing else than images.
    path = arguments.out / "images.npz"
    np.savez_compressed(path, images=codes.astype(np.uint8), levels=entries)
    images = nx.open_images(path)
    training, valid = images.hold_out(0.1)
    print(f"{len(images):,} maps of {codes.shape[1]} x {codes.shape[2]} codes, {entries} entries in the code book")

    torch.manual_seed(0)
    model = nx.build(
        arguments.model,
        image_shape=images.image_shape,
        levels=entries,
        features=arguments.features,
        layers=arguments.layers,
        level_features=arguments.level_features,
        dropout=0.3,
    )
    settings = nx.TrainingSettings(steps=arguments.steps, batch_size=32, learning_rate=2e-3, grids=0)
    nx.train(model, training, arguments.out / "run", valid, settings)
    model = nx.load(arguments.out / "run")
    likelihood = nx.evaluate(model, valid)
    print(f"held-out codes: {likelihood.bits_per_dim:.3f} bits each; without a prior {math.log2(entries):.3f}")

    drawn = model.sample(SHOWN, generator=torch.Generator().manual_seed(0))[:, 0].numpy()
    np.savez_compressed(arguments.out / "drawn.npz", codes=drawn)
    print(f"{SHOWN} new maps of codes, for the decoder: {arguments.out / 'drawn.npz'}")
    if coder is not None:
        any_codes = np.random.default_rng(0).choice(codes.flatten(), drawn.shape)
        pictures = {
            "digits": digits[:SHOWN],
            "encoded, decoded": coder.decode(codes[:SHOWN]),
            "codes from the prior": coder.decode(drawn),
            "codes without a prior": coder.decode(any_codes),
        }
        picture = arguments.out / "samples.png"
        nx.show(pictures, 17, scale=4).save(picture)
        print(f"decoded: {picture}")


if __name__ == "__main__":
    main()

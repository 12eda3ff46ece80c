"""What the codes of a trained autoencoder are worth.

Prints the likelihood of images given their own code and given another image's, how often the nearest neighbours of a
code are of its class, and how sharp reconstructions are beside those of the autoencoder by squared error.

    python benchmarks/codes.py RUN TRAIN VALID [--binarize threshold]
"""

from __future__ import annotations

import argparse

import torch
from sklearn.neighbors import KNeighborsClassifier

import nextpixel as nx
from nextpixel.cli.reconstruct import load_autoencoder
from nextpixel.scoring.codes import codes
from nextpixel.scoring.sharpness import gradient_energy


@torch.no_grad()
def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run")
    parser.add_argument("train", help="images with labels, for the neighbours")
    parser.add_argument("valid", help="held-out images with labels")
    parser.add_argument("--binarize", choices=("threshold", "stochastic"))
    parser.add_argument("--levels", type=int)
    parser.add_argument("--neighbours", type=int, default=5)
    parser.add_argument("--count", type=int, default=500, help="images to reconstruct and to try other codes on")
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    model = load_autoencoder(arguments.run)
    train, valid = (
        nx.open_images(path, binarize=arguments.binarize, levels=arguments.levels)
        for path in (arguments.train, arguments.valid)
    )
    some = valid[: arguments.count]
    own = codes(model, some)
    likelihoods = {
        "its own": nx.evaluate(model, some, own),
        "another image's": nx.evaluate(model, some, own.roll(1, 0)),
    }
    for name, likelihood in likelihoods.items():
        print(f"given {name} code: {likelihood}")
    if train.labels is not None and valid.labels is not None:
        neighbours = KNeighborsClassifier(arguments.neighbours).fit(codes(model, train), train.labels)
        accuracy = neighbours.score(codes(model, valid), valid.labels)
        print(f"{arguments.neighbours} nearest neighbours by code: {accuracy:.2%} of {len(valid):,} images named right")
    energy = gradient_energy(some, model.levels)
    drawn = model.sample(len(some), own, generator=torch.Generator().manual_seed(0))
    print(f"{len(some)} reconstructions: gradient energy relative to the originals, mean squared error")
    for name, restored in (("drawn", drawn), ("by squared error", model.reconstruct_plainly(some))):
        error = float(((restored.double() - some.double()) / (model.levels - 1)).pow(2).mean())
        print(f"  {name:18}{gradient_energy(restored, model.levels) / energy:6.3f}{error:9.4f}")


if __name__ == "__main__":
    main()

"""Folders in which commands can be tried."""

import numpy as np

from helpers.tiny_models import tiny
from nextpixel.cli.app import run


def filled(folder):
    """A folder with a tiny model, images, pictures, a packed file of them, and an empty folder for results."""
    tiny("gated-pixelcnn").save(folder / "model")
    images = np.random.default_rng(0).integers(0, 3, (40, 3, 4), np.uint8)
    np.savez(folder / "images.npz", images=images, levels=3)
    assert run(["sample", str(folder / "model"), "--count", "3", "--out", str(folder / "pictures")]) == 0
    assert run(["compress", str(folder / "model"), str(folder / "pictures"), "--out", str(folder / "p.npx")]) == 0
    (folder / "results").mkdir()
    return folder

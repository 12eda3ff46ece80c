"""Pictures whose colours are those of a decoder of JPEG, Photo CD or WebP."""

import numpy as np

from nextpixel.coding.colour_lattices import LATTICES


def picture_on(lattice: int, height: int, width: int, *, seed: int = 0, noise: float = 1.0) -> np.ndarray:
    """A smooth picture with some noise, uint8 `[3, H, W]`, of colours of a lattice."""
    random = np.random.default_rng(seed)
    row, column = np.mgrid[:height, :width]
    waves = [60 * np.sin(row / 7 + shift) + 40 * np.cos(column / 9 + 2 * shift) for shift in random.random(3)]
    luma, *chromas = (
        (128 + strength * wave + random.normal(0, noise, wave.shape)).round().clip(16, 235).astype(np.int64)
        for strength, wave in zip((0.8, 0.2, 0.2), waves, strict=True)
    )
    formula = LATTICES[lattice].formula
    picture = np.empty((3, height, width), np.uint8)
    for value in np.unique(luma):
        here = luma == value
        colours = formula(int(value), *(chroma[here] for chroma in chromas))
        picture[:, here] = np.stack(colours).clip(0, 255)
    return picture

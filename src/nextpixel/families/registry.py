"""The model families by name. Importing this does not import PyTorch.

A new model is added by one entry here; the tests and the command line run over all entries.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Family:
    """Where a family of models lives and what it is.

    Attributes:
        path: `module:Class` of a subclass of `nextpixel.families.base.ImageModel`.
        summary: one line for `nextpixel models`.
    """

    path: str
    summary: str


FAMILIES: dict[str, Family] = {
    "autoencoder": Family(
        "nextpixel.families.autoencoder:Autoencoder",
        "an encoder to a few numbers and a Gated PixelCNN that decodes them (arXiv 1606.05328, section 2.4)",
    ),
    "diagonal-bilstm": Family(
        "nextpixel.families.pixelrnn:DiagonalBiLSTMModel",
        "two LSTMs along the diagonals, the whole past in one layer (van den Oord et al. 2016, arXiv 1601.06759)",
    ),
    "gated-pixelcnn": Family(
        "nextpixel.families.gated_pixelcnn:GatedPixelCNN",
        "two stacks of gated convolutions, no blind spot (van den Oord et al. 2016, arXiv 1606.05328)",
    ),
    "local-pixelcnn": Family(
        "nextpixel.families.local_pixelcnn:LocalPixelCNN",
        "one masked convolution with a large window, for images of any size (arXiv 2109.02639, 2202.12120)",
    ),
    "multiscale": Family(
        "nextpixel.families.multiscale:Multiscale",
        "a small image first, then larger ones given it (van den Oord et al. 2016, arXiv 1601.06759, section 3.6)",
    ),
    "pixelcnn": Family(
        "nextpixel.families.pixelcnn:PixelCNN",
        "one stack of masked convolutions, fast, with its blind spot (van den Oord et al. 2016, arXiv 1601.06759)",
    ),
    "row-lstm": Family(
        "nextpixel.families.pixelrnn:RowLSTMModel",
        "LSTMs from row to row, a triangle of the past (van den Oord et al. 2016, arXiv 1601.06759)",
    ),
    "turned": Family(
        "nextpixel.families.oriented:Oriented",
        "a model that begins at another side of the image, to complete the rest exactly",
    ),
}


def models() -> list[str]:
    """Names of the model families that `nextpixel.build` knows, in alphabetical order."""
    return sorted(FAMILIES)

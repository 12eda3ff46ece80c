"""A picture of the scores of a set of images: their histogram, and the images at its ends."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from nextpixel.rendering.figure import as_png, new_figure
from nextpixel.rendering.grid import grid

SHOWN = 16
UNITS = {"nats": "nats per image", "typicality": "nats", "complexity": "bits/dim", "ratio": "nats"}


class Panel(NamedTuple):
    """Some images of a set.

    Attributes:
        title: what they are.
        places: which images, in order.
    """

    title: str
    places: list[int]


def panels(nats: NDArray[np.float64], scores: NDArray[np.float64], by: str) -> list[Panel]:
    """The images to show: the most and the least likely ones, and the strangest by a score other than the nats."""
    order = np.argsort(nats, kind="stable")
    panels = [
        Panel("the most likely images", order[:SHOWN].tolist()),
        Panel("the least likely images", order[::-1][:SHOWN].tolist()),
    ]
    if by != "nats":
        panels.append(Panel(f"the strangest by {by}", np.argsort(-scores, kind="stable")[:SHOWN].tolist()))
    return panels


def summary(
    scores: NDArray[np.float64],
    by: str,
    shown: Sequence[tuple[str, Tensor]],
    levels: int,
    *,
    normal: NDArray[np.float64] | None = None,
    threshold: float | None = None,
) -> bytes:
    """Draw the histogram of a score, and images of the set, as a PNG.

    Args:
        scores: `[N]`.
        by: name of the score.
        shown: titles of images, and the images, integers `[n, C, H, W]`; see `panels`.
        levels: number of levels.
        normal: the scores of normal images, to compare.
        threshold: above which images are called anomalous.

    Raises:
        InputError: matplotlib is not installed.
    """
    figure = new_figure(5.2 + 3.8 * len(shown), 4.3)
    axes = figure.subplots(1, 1 + len(shown), width_ratios=[1.3, *[1] * len(shown)])
    together = scores if normal is None else np.concatenate([scores, normal])
    edges = np.histogram_bin_edges(together[np.isfinite(together)], bins=min(60, max(8, len(scores) // 8)))
    if normal is not None:
        axes[0].hist(normal, edges, density=True, color="0.6", alpha=0.7, label=f"{len(normal):,} normal images")
    axes[0].hist(scores, edges, density=True, color="tab:blue", alpha=0.6, label=f"{len(scores):,} images")
    if threshold is not None:
        axes[0].axvline(threshold, color="tab:red", label="threshold")
    axes[0].set_xlabel(f"{by} ({UNITS[by]}); more is stranger")
    axes[0].set_yticks([])
    axes[0].legend()
    for panel, (title, images) in zip(axes[1:], shown, strict=True):
        panel.imshow(np.asarray(grid(images, levels, columns=4)), interpolation="nearest")
        panel.set_title(title)
        panel.axis("off")
    return as_png(figure, 110)

"""The learning curve of a run."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from pathlib import Path

from nextpixel.rendering.figure import as_png, new_figure
from nextpixel.runtime.atomic_files import write_result

COLOURS = 64
"""Of the picture: two lines and the shades of their edges."""


def learning_curve(metrics: Iterable[Mapping[str, float]], path: Path) -> None:
    """Draw bits/dim of training and validation against steps, as a PNG.

    Args:
        metrics: the lines of a run's `metrics.jsonl`.
        path: where the picture goes.

    Raises:
        InputError: it cannot be written, or matplotlib is not installed.
    """
    lines = list(metrics)
    figure = new_figure(7, 4)
    axes = figure.add_subplot()
    for key, label, style in (
        ("train_bits_per_dim", "training batches", {"alpha": 0.5, "linewidth": 1}),
        ("valid_bits_per_dim", "validation (averaged weights)", {"marker": "o", "markersize": 4}),
    ):
        points = [(line["step"], line[key]) for line in lines if key in line]
        if points:
            axes.plot(*zip(*points, strict=True), label=label, **style)
    # The first steps are far above the rest, and would press it flat.
    values = sorted(line[key] for line in lines for key in ("train_bits_per_dim", "valid_bits_per_dim") if key in line)
    if values:
        low, high = values[0], values[math.ceil(0.97 * (len(values) - 1))]
        margin = 0.1 * (high - low) or 0.05 * low
        axes.set_ylim(low - margin, high + margin)
        axes.legend()
    axes.set_xlabel("step")
    axes.set_ylabel("bits/dim")
    axes.grid(alpha=0.3)
    write_result(path, as_png(figure, 130, colours=COLOURS))

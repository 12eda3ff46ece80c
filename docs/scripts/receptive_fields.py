"""Pictures of what one output really sees, for each family and several depths: `docs/images/receptive-fields.png`.

Nothing is drawn from theory: every square is the result of a gradient (`nextpixel.verify.observed_receptive_field`).

    python docs/scripts/receptive_fields.py
"""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import torch
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from matplotlib.patches import Patch

import nextpixel as nx
from nextpixel.runtime.atomic_files import write_atomically
from nextpixel.verify import Site, observed_receptive_field

SIZE = 28
OUTPUT = Site(0, 17, 11)
FAMILIES = ("pixelcnn", "gated-pixelcnn", "row-lstm", "diagonal-bilstm")
DEPTHS = (1, 3, 7)
FUTURE, BLIND, SEEN, ITSELF = range(4)
COLOURS = {"not yet drawn": "#eceef2", "past, not seen": "#e8a33d", "seen": "#2b6cb0", "the output": "#1a1a2e"}


def field(family: str, layers: int) -> np.ndarray:
    """What the output sees, as indices of `COLOURS`."""
    torch.manual_seed(0)
    model = nx.build(family, image_shape=(1, SIZE, SIZE), levels=2, features=16, layers=layers)
    seen = observed_receptive_field(model, OUTPUT)[0]
    past = model.order[0] < model.order[OUTPUT]
    picture = torch.where(seen, SEEN, torch.where(past, BLIND, FUTURE))
    picture[OUTPUT.row, OUTPUT.column] = ITSELF
    return picture.numpy()


def main() -> None:
    """Draw all families and depths."""
    torch.set_num_threads(1)
    figure = Figure(figsize=(2.6 * len(FAMILIES), 2.75 * len(DEPTHS) + 0.4), layout="constrained")
    figure.get_layout_engine().set(hspace=0.05)
    axes = figure.subplots(len(DEPTHS), len(FAMILIES))
    for row, layers in zip(axes, DEPTHS, strict=True):
        for cell, family in zip(row, FAMILIES, strict=True):
            picture = field(family, layers)
            seen, blind = ((picture == kind).sum() for kind in (SEEN, BLIND))
            cell.imshow(picture, cmap=ListedColormap(list(COLOURS.values())), vmin=0, vmax=3)
            cell.set_title(f"{family}, {layers} layer{'s' * (layers > 1)}", fontsize=9)
            cell.set_xlabel(f"sees {seen / (seen + blind):.0%} of the past", fontsize=9)
            cell.set_xticks([])
            cell.set_yticks([])
    handles = [Patch(facecolor=colour, edgecolor="#888", label=name) for name, colour in COLOURS.items()]
    figure.legend(handles=handles, loc="outside lower center", ncols=4, frameon=False)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=110, metadata={"Software": None})
    path = Path(__file__).parents[1] / "images" / "receptive-fields.png"
    write_atomically(path, buffer.getvalue())
    print(path)


if __name__ == "__main__":
    main()

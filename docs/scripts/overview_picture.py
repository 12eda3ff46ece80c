"""Make the picture at the top of the README, `docs/images/overview.png`, with models that come with the package.

    python docs/scripts/overview_picture.py

The sizes in the last panel are those of the table in `docs/results/compression.md`.
"""

from __future__ import annotations

import io
import math
import re
from pathlib import Path

import torch
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

import nextpixel as nx
from nextpixel.runtime.atomic_files import write_atomically

DOCS = Path(__file__).parents[1]
MODEL = "nextpixel/fashion-mnist-gated"
ROWS, COLUMNS = 4, 4
MOST_BITS = 8
UNKNOWN = 140
"""The level that unknown pixels are shown in."""
BLUE, GREY, INK = "#2b6cb0", "#b9c0cc", "#1a1a2e"


def sizes() -> dict[str, float]:
    """Bits per dimension of 200 Fashion-MNIST images, by format, as the documentation has them."""
    table = (DOCS / "results" / "compression.md").read_text(encoding="utf-8")
    model = re.search(r"^\| the file \| \*\*([\d.]+)\*\*", table, re.MULTILINE)
    others = re.findall(r"^\| (PNG|WebP|JPEG XL)[^|]*\| [\d.]+ / ([\d.]+) \|", table, re.MULTILINE)
    if model is None or len(others) != 3:
        raise SystemExit("docs/results/compression.md has no table of sizes any more; change this script with it")
    return {name: float(bits) for name, bits in others} | {"nextpixel": float(model[1])}


def mosaic(images: Tensor, columns: int) -> Tensor:
    """Images `[N, 1, H, W]` of 0 to 1 in rows: float `[height, width]`, with NaN between them."""
    framed = torch.nn.functional.pad(images, (1, 1, 1, 1), value=math.nan)
    rows = framed.squeeze(1).unflatten(0, (-1, columns))
    return torch.cat([torch.cat(list(row), dim=1) for row in rows])


def show(axes: Axes, picture: Tensor, title: str, caption: str, colours: str = "gray") -> None:
    """Draw a panel."""
    axes.imshow(picture, cmap=colormaps[colours].with_extremes(bad="white"), vmin=0, vmax=1, interpolation="nearest")
    label(axes, title, caption)


def label(axes: Axes, title: str, caption: str) -> None:
    """Write what a panel shows, above and below it."""
    axes.set_title(title, fontsize=13, fontweight="bold", color=INK)
    axes.set_xlabel(caption, fontsize=9, color=INK)
    axes.set_xticks([])
    axes.set_yticks([])
    axes.spines[:].set_visible(False)


def main() -> None:
    """Draw, complete, score, and compare sizes."""
    torch.set_num_threads(1)
    model = nx.load(MODEL)
    drawn = model.sample(ROWS * COLUMNS, generator=torch.Generator().manual_seed(3))
    chosen = drawn[[0, 5, 10, 14]]
    known = torch.arange(28)[:, None].expand(28, 28) < 14
    repeated = chosen.repeat_interleave(COLUMNS - 1, dim=0)
    completed = model.complete(repeated, known, generator=torch.Generator().manual_seed(4))
    halves = torch.where(known, chosen, UNKNOWN)
    rows = torch.cat([halves[:, None], completed.unflatten(0, (-1, COLUMNS - 1))], dim=1)
    with torch.no_grad():
        bits = -model.log_prob_map(drawn) / math.log(2)

    figure = Figure(figsize=(13, 3.7), layout="constrained")
    panels = figure.subplots(1, 4)
    show(panels[0], mosaic(drawn / 255, COLUMNS), "Generate", "drawn by a model that\ncomes with the package")
    show(panels[1], mosaic(rows.flatten(0, 1) / 255, COLUMNS), "Complete", "what is known,\nand three completions")
    heat = mosaic(bits / MOST_BITS, COLUMNS)
    show(panels[2], heat, "Score", "the bits of every pixel:\ndark for none, yellow for 8 and more", "inferno")
    bars = panels[3].barh(list(sizes()), list(sizes().values()), color=[GREY] * 3 + [BLUE], height=0.6)
    panels[3].bar_label(bars, fmt="%.2f", padding=4, color=INK)
    panels[3].set_xlim(0, 5.2)
    panels[3].set_box_aspect(1)
    label(panels[3], "Compress", "bits per dimension, 200 held-out images,\nthe model not counted")
    panels[3].set_yticks(range(4), list(sizes()))
    panels[3].tick_params(length=0)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=100, facecolor="white", metadata={"Software": None})
    path = DOCS / "images" / "overview.png"
    write_atomically(path, buffer.getvalue())
    print(path)


if __name__ == "__main__":
    main()

"""How well the anomaly scores tell images of one set from images of another one: areas under the ROC curve.

    python benchmarks/anomaly.py RUN NORMAL STRANGE [--background RUN ...] [--count 2000]

Needs a trained run. The first images of each set are scored; NORMAL and STRANGE must not have been trained on. Each
background has a row: to sweep the rate of mutation and the weight decay as Ren et al. 2019 did, train one for each,

    nextpixel train DATA --background-of RUN --mutation 0.1 --weight-decay 0.1 --out RUN_BACKGROUND

and for the ratio of a full to a local model (Zhang et al. 2021, arXiv 2109.02639) give a local-pixelcnn that was
trained on the same images, unchanged.
"""

from __future__ import annotations

import argparse

import numpy as np
import torch
from sklearn.metrics import roc_auc_score

import nextpixel as nx
from nextpixel.scoring.anomaly import SCORES
from nextpixel.scoring.likelihood import log_probs

RECALLED = {"nats": "0.089", "complexity": "0.967", "ratio": "0.994"}
"""Fashion-MNIST against MNIST with PixelCNN++, from memory of the papers; nobody checked them here."""


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run")
    parser.add_argument("normal")
    parser.add_argument("strange")
    parser.add_argument("--background", nargs="*", default=[])
    parser.add_argument("--count", type=int, default=2000)
    options = parser.parse_args()
    torch.set_num_threads(1)
    model = nx.load(options.run)
    backgrounds = {name: nx.load(name) for name in options.background}
    tables, ratios = [], []
    for source in (options.normal, options.strange):
        images = nx.open_images(source, levels=model.levels)
        images = images.subset(range(min(options.count, len(images))))
        tables.append(nx.score(model, images))
        nats = log_probs(model, images)
        ratios.append({name: (log_probs(other, images) - nats).numpy() for name, other in backgrounds.items()})
    truth = np.repeat([0, 1], [len(table) for table in tables])
    print(f"{len(tables[0])} images of {options.normal}, {len(tables[1])} of {options.strange}")
    print(
        "| score | AUROC | normal, median | strange, median | recalled for Fashion-MNIST against MNIST |\n"
        "|---|---|---|---|---|"
    )
    rows = {name: [table[name] for table in tables] for name in SCORES if name in tables[0].columns}
    for name, other in backgrounds.items():
        told = other.family if other.record.mutation is None else f"{other.family}, mutation {other.record.mutation}"
        rows[f"ratio to {name} ({told})"] = [ratio[name] for ratio in ratios]
    for name, both in rows.items():
        area = roc_auc_score(truth, np.concatenate(both))
        recalled = RECALLED.get(name.split()[0], "-")
        print(f"| {name} | {area:.4f} | {np.median(both[0]):.3f} | {np.median(both[1]):.3f} | {recalled} |")


if __name__ == "__main__":
    main()

"""How well the anomaly scores tell images of one set from images of another one: areas under the ROC curve.

    python benchmarks/anomaly.py RUN NORMAL STRANGE [--background RUN] [--count 2000]

Needs a trained run. The first images of each set are scored; NORMAL and STRANGE must not have been trained on.
"""

from __future__ import annotations

import argparse

import numpy as np
import torch
from sklearn.metrics import roc_auc_score

import nextpixel as nx
from nextpixel.scoring.anomaly import SCORES

RECALLED = {"nats": "0.089", "complexity": "0.967", "ratio": "0.994"}
"""Fashion-MNIST against MNIST with PixelCNN++, from memory of the papers; nobody checked them here."""


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run")
    parser.add_argument("normal")
    parser.add_argument("strange")
    parser.add_argument("--background")
    parser.add_argument("--count", type=int, default=2000)
    options = parser.parse_args()
    torch.set_num_threads(1)
    model = nx.load(options.run)
    background = nx.load(options.background) if options.background else None
    tables = []
    for source in (options.normal, options.strange):
        images = nx.open_images(source, levels=model.levels)
        tables.append(nx.score(model, images.subset(range(min(options.count, len(images)))), background=background))
    truth = np.repeat([0, 1], [len(table) for table in tables])
    print(f"{len(tables[0])} images of {options.normal}, {len(tables[1])} of {options.strange}")
    print(
        "| score | AUROC | normal, median | strange, median | recalled for Fashion-MNIST against MNIST |\n"
        "|---|---|---|---|---|"
    )
    for name in SCORES:
        if name in tables[0].columns:
            both = [table[name] for table in tables]
            area = roc_auc_score(truth, np.concatenate(both))
            print(
                f"| {name} | {area:.4f} | {np.median(both[0]):.3f} | {np.median(both[1]):.3f} | "
                f"{RECALLED.get(name, '-')} |"
            )


if __name__ == "__main__":
    main()

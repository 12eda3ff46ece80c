"""What scoring costs beside bare parallel passes of the same batches, and how well a model of labels tells classes.

python benchmarks/scoring.py RUN IMAGES [--count 1000] [--turns 5]
"""

from __future__ import annotations

import argparse
import statistics
import time

import numpy as np
import torch

import nextpixel as nx
from nextpixel.cli.options import DataOptions, open_for
from nextpixel.runtime.batching import batches
from nextpixel.scoring.anomaly import Scorer
from nextpixel.scoring.likelihood import batch_size_for


def main() -> None:
    """Print the ratio, and the accuracy where the model knows classes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run")
    parser.add_argument("images")
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--turns", type=int, default=5)
    options = parser.parse_args()
    torch.set_num_threads(1)
    model = nx.load(options.run)
    images = open_for(model, options.images, DataOptions(), own_condition=False)
    images = images.subset(range(min(options.count, len(images))))
    labels = images.labels
    if isinstance(model.condition, nx.Labels) and labels is not None:
        table = nx.score(model, images)
        names = np.array(model.condition.names or list(map(str, range(model.condition.count))))
        right = float((table["label"] == names[labels.numpy()]).mean())
        print(
            f"{len(images)} images: {right:.2%} of the classes are right; "
            f"{table['nats'].mean():.2f} nats whatever the class"
        )
        return
    ratios = []
    for _ in range(options.turns):
        start = time.perf_counter()
        with torch.no_grad():
            for part in batches(len(images), batch_size_for(model)):
                model.log_prob(images[part])
        middle = time.perf_counter()
        nx.score(model, images)
        ratios.append((time.perf_counter() - middle) / (middle - start))
    print(
        f"scoring {len(images)} images takes {statistics.median(ratios):.3f} times their parallel passes "
        f"({min(ratios):.3f} to {max(ratios):.3f}), complexity by {Scorer(model).complexity_format}"
    )


if __name__ == "__main__":
    main()

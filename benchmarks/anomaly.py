"""How well anomaly scores tell images of one set from images of another one: areas under the ROC curve.

    python benchmarks/anomaly.py RUN NORMAL STRANGE [--background RUN ...] [--count 1000] [--baselines 10000]
        [--record docs/results/scoring.json]

The first images of each set are scored. If RUN held a part of NORMAL out, the first of that part are, and the baselines
learn from the rest; otherwise NORMAL must not have been trained on. Nothing is tuned on STRANGE. Each background has a
row: those of benchmarks/backgrounds.py, or of `nextpixel train --background-of RUN --mutation 0.1`. The baselines look
at the pixels alone: detectors of PyOD as they come (extra [benchmarks]), and the distance to the nearest of the normal
images that they learned from. docs/scripts/scoring.py makes tables of the record.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score
from sklearn.neighbors import NearestNeighbors

import nextpixel as nx
from nextpixel.data import ImageSet
from nextpixel.scoring.anomaly import SCORES, Scorer
from nextpixel.scoring.likelihood import log_probs
from nextpixel.training.division import held_out_of
from timing import processor

RESAMPLES = 1000
Both = tuple[NDArray[np.float64], NDArray[np.float64]]
"""A score of the normal images, and of the strange ones."""


def main() -> None:
    """Measure, print, and write the record."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run")
    parser.add_argument("normal")
    parser.add_argument("strange")
    parser.add_argument("--background", nargs="*", default=[])
    parser.add_argument("--count", type=int, default=1000, help="images of each set")
    parser.add_argument("--baselines", type=int, default=0, help="normal images that the baselines learn from")
    parser.add_argument("--record", type=Path, help="a JSON file that takes the areas")
    options = parser.parse_args()
    torch.set_num_threads(1)
    start = time.process_time()
    model = nx.load(options.run)
    normal = nx.open_images(options.normal, levels=model.levels)
    parts = held_out_of(model, normal)
    if parts is not None:
        normal = parts.valid
    elif options.baselines:
        raise SystemExit(
            f"{options.run} held no part of {options.normal} out, so that the baselines have none to learn"
        )
    sets = [first(normal, options.count), first(nx.open_images(options.strange, levels=model.levels), options.count)]
    found = {
        name: {**area(*both), "normal median": float(np.median(both[0])), "strange median": float(np.median(both[1]))}
        | about
        for name, both, about in scores(options, model, sets, None if parts is None else parts.training)
    }
    minutes = (time.process_time() - start) / 60
    print(f"{len(sets[0])} images of {options.normal}, {len(sets[1])} of {options.strange}; {minutes:.1f} CPU minutes")
    for name, one in found.items():
        print(f"{name:40} {one['area']:.4f} ± {one['standard error']:.4f}")
    if options.record is not None:
        text = options.record.read_text(encoding="utf-8") if options.record.exists() else "{}"
        title = f"{Path(options.normal).stem} against {Path(options.strange).stem}"
        record = {
            "model": options.run,
            "images": [len(images) for images in sets],
            "learned from": options.baselines,
            "complexity by": Scorer(model).complexity_format,
            "scores": found,
            "CPU minutes": round(minutes, 1),
            "processor": processor(),
            "versions": {name: importlib.metadata.version(name) for name in ("torch", "pyod", "scikit-learn")},
        }
        options.record.write_text(json.dumps(json.loads(text) | {title: record}, indent=1) + "\n", encoding="utf-8")


def first(images: ImageSet, count: int) -> ImageSet:
    return images.subset(range(min(count, len(images))))


def scores(
    options: argparse.Namespace, model: nx.ImageModel, sets: list[ImageSet], training: ImageSet | None
) -> Iterator[tuple[str, Both, dict[str, Any]]]:
    """Every score by name, of both sets, in each of which more is stranger; and what is to be told of it."""
    tables = [nx.score(model, images) for images in sets]
    for name in SCORES:
        if name in tables[0].columns:
            yield name, (tables[0][name], tables[1][name]), {"kind": "score"}
    for path in options.background:
        background = nx.load(path)
        ratios = [
            table["nats"] + log_probs(background, images).numpy() for table, images in zip(tables, sets, strict=True)
        ]
        about = {
            "kind": "ratio",
            "family": background.family,
            "parameters": sum(parameter.numel() for parameter in background.parameters()),
            "mutation": background.record.mutation,
            "trained": background.record.trained,
        }
        yield Path(path).name, (ratios[0], ratios[1]), about
    if options.baselines and training is not None:
        from pyod.models.ecod import ECOD
        from pyod.models.iforest import IForest
        from pyod.models.knn import KNN

        known, *tested = (flat(images) for images in (first(training, options.baselines), *sets))
        for detector in (ECOD(), IForest(random_state=0), KNN()):
            detector.fit(known)
            both = [detector.decision_function(images) for images in tested]
            yield type(detector).__name__, (both[0], both[1]), {"kind": "PyOD"}
        nearest = NearestNeighbors(n_neighbors=1).fit(known)
        distances = [nearest.kneighbors(images)[0][:, 0] for images in tested]
        yield "nearest neighbour", (distances[0], distances[1]), {"kind": "distance"}


def flat(images: ImageSet) -> NDArray[np.float64]:
    """The pixels of images as rows, 0 to 1."""
    return images[:].flatten(1).double().numpy() / (images.levels - 1)


def area(normal: NDArray[np.float64], strange: NDArray[np.float64]) -> dict[str, float]:
    """The area under the ROC curve, and its standard error by resampling the images of both sets."""
    wins = (strange[:, None] > normal).astype(np.float64) + (strange[:, None] == normal) / 2
    random = np.random.default_rng(0)
    weights = [random.multinomial(count, np.full(count, 1 / count), RESAMPLES) / count for count in wins.shape]
    resampled = ((weights[0] @ wins) * weights[1]).sum(axis=1)
    truth = np.repeat([0, 1], [len(normal), len(strange)])
    return {
        "area": float(roc_auc_score(truth, np.concatenate([normal, strange]))),
        "standard error": float(resampled.std(ddof=1)),
    }


if __name__ == "__main__":
    main()

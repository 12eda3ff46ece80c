"""What completing in an order that begins with the known pixels is worth, beside candidates and a fixed order.

    python benchmarks/completion.py RUN IMAGES [--count 64] [--candidates 32] [--record docs/results/completion.json]
        [--picture docs/images/completion-NAME.png]

RUN is a locally-masked, so that one set of weights is computed in any order; the images are those that it held out of
IMAGES. Of a random half of the pixels, and of a centre square of half the side, it measures the nats of the true pixels
given the others,

    exact        in an order that begins with the known pixels
    orders       the mean of the probabilities of eight such orders, exact as well
    rows         in the first order of the training, row by row, where known pixels that come later have no influence
    candidates   the probability that the true pixels come out of `complete --candidates K`, drawn in that order

The last one is estimated without bias: if q is the probability of the true pixels in rows, w that of the known pixels
given those before them, and w_2 ... w_K are those of K - 1 completions drawn, the true pixels are drawn and kept with a
probability of K q E[w / (w + w_2 + ... + w_K)]. It is at most K q, whatever the model.
docs/scripts/completion.py makes a table of the record.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

import nextpixel as nx
from nextpixel.cli.options import DataOptions, open_for, valid_part
from nextpixel.families.locally_masked import LocallyMasked
from nextpixel.generation.candidates import choose_candidates
from nextpixel.generation.canvas import Canvas
from nextpixel.generation.walk import walk
from nextpixel.nn.conditioning import Context
from nextpixel.nn.orders import beginning_with
from nextpixel.runtime.batching import batches
from timing import processor

ORDERS = 8
SHOWN = 6


class InRows(LocallyMasked):
    """The same model, that completes in its own order as other families do, whatever is known."""

    completes_from_anything = False

    def fill(self, canvas: Canvas, context: Context | None) -> None:
        """Draw what is unknown, in the order of the model."""
        self._fill_in_one_order(canvas, context, torch.zeros_like(canvas.known[:1, 0]))


@torch.no_grad()
def main() -> None:
    """Measure, print, and write the record."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run")
    parser.add_argument("images")
    parser.add_argument("--count", type=int, default=64)
    parser.add_argument("--candidates", type=int, default=32)
    parser.add_argument("--record", type=Path)
    parser.add_argument("--picture", type=Path)
    options = parser.parse_args()
    torch.set_num_threads(1)
    start = time.process_time()
    model = nx.load(options.run)
    if not isinstance(model, LocallyMasked):
        raise SystemExit(f"{options.run} is a {model.family}, not a locally-masked")
    rows = InRows(model.image_shape, model.levels, None, **model.options)
    rows.load_state_dict(model.state_dict())
    rows.eval()
    valid, _ = valid_part(model, open_for(model, options.images, DataOptions(), own_condition=False), None)
    images = valid[: options.count].long()
    found: dict[str, Any] = {}
    for title, known in masks(*model.image_shape[1:]).items():
        found[title] = measured(model, rows, images, known, options.candidates)
        print(title, {name: [round(value, 2) for value in pair] for name, pair in found[title]["nats"].items()})
    minutes = (time.process_time() - start) / 60
    print(f"{minutes:.1f} CPU minutes")
    if options.record is not None:
        record = {
            "images": len(images),
            "image_shape": list(model.image_shape),
            "levels": model.levels,
            "parameters": sum(parameter.numel() for parameter in model.parameters()),
            "trained": model.record.trained,
            "bits_per_dim": None if model.record.likelihood is None else model.record.likelihood.bits_per_dim,
            "candidates": options.candidates,
            "masks": found,
            "CPU minutes": round(minutes, 1),
            "processor": processor(),
            "torch": torch.__version__,
        }
        text = options.record.read_text(encoding="utf-8") if options.record.exists() else "{}"
        records = json.loads(text)
        records.setdefault(Path(options.images).stem, {})[f"{model.config.known_first:g}"] = record
        options.record.write_text(json.dumps(records, indent=1) + "\n", encoding="utf-8")
    if options.picture is not None:
        picture(model, rows, images[:SHOWN], options.candidates).save(options.picture, optimize=True)


def masks(height: int, width: int) -> dict[str, Tensor]:
    """What is known, bool `[H, W]`, by a title of what is not."""
    places = torch.randperm(height * width, generator=torch.Generator().manual_seed(0))
    square = torch.ones(height, width, dtype=torch.bool)
    square[height // 4 : height - height // 4, width // 4 : width - width // 4] = False
    return {"a random half": (places < height * width // 2).view(height, width), "a centre square": square}


def measured(model: LocallyMasked, rows: InRows, images: Tensor, known: Tensor, candidates: int) -> dict[str, Any]:
    """The nats of the unknown pixels in each way, as means with their standard errors over the images."""
    in_orders = torch.stack(
        [
            sums(model.in_order(beginning_with(known, model.in_order(number).ranks.view(known.shape))), images, ~known)
            for number in range(ORDERS)
        ]
    )
    unknown = sums(rows, images, ~known)
    others = weights(rows, images, known, candidates - 1)
    ways = {
        "exact": in_orders[0],
        "orders": in_orders.logsumexp(dim=0) - math.log(ORDERS),
        "rows": unknown,
        "candidates": unknown + gain(sums(rows, images, known), others),
    }
    return {
        "unknown": int((~known).sum()) * images.shape[1],
        "nats": {name: pair(-values) for name, values in ways.items()},
        "exact beside": {name: pair(ways["exact"] - ways[name]) for name in ("rows", "candidates")},
        "effective": float((1 / (others.softmax(dim=1) ** 2).sum(dim=1)).mean()),
    }


def weights(rows: InRows, images: Tensor, known: Tensor, count: int) -> Tensor:
    """The log-probability of what is known, as it follows in rows on completions that are drawn, `[N, count]`."""
    return sums(rows, draws(rows, images, known, count).flatten(0, 1), known).view(len(images), count)


def gain(weight: Tensor, others: Tensor) -> Tensor:
    """The logarithm of K w / (w + w_2 + ... + w_K), from the logarithms of the weights, `[N]` and `[N, K - 1]`."""
    together = torch.cat([weight[:, None], others], dim=1)
    return weight - together.logsumexp(dim=1) + math.log(together.shape[1])


def pair(values: Tensor) -> list[float]:
    """The mean over images, and its standard error."""
    return [float(values.mean()), float(values.std() / math.sqrt(len(values)))]


def sums(model: LocallyMasked, images: Tensor, where: Tensor) -> Tensor:
    """The log-probability of some pixels of images, each given those before it, float64 `[N]`."""
    maps = [model.log_prob_map(images[part]) for part in batches(len(images), 64)]
    return torch.cat([one.double()[..., where].flatten(1).sum(dim=1) for one in maps])


def draws(rows: InRows, images: Tensor, known: Tensor, count: int) -> Tensor:
    """Completions of each image in rows, `[N, count, C, H, W]`."""
    many = images.repeat_interleave(count, dim=0)
    uniforms = torch.rand(many.shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    drawn = [
        walk(rows, many[part], known.expand_as(many[part]), {}, uniforms=uniforms[part]).images
        for part in batches(len(many), 256)
    ]
    return torch.cat(drawn).view(len(images), count, *images.shape[1:])


def picture(model: LocallyMasked, rows: InRows, images: Tensor, candidates: int) -> Any:
    """Some images completed in each way, a row an image, and a panel for each mask."""
    panels = {}
    for title, known in masks(*model.image_shape[1:]).items():
        everywhere = known.expand_as(images)
        generator = torch.Generator().manual_seed(1)
        columns = [
            images,
            torch.where(known, images, model.levels // 3),
            model.complete(images, known, generator=generator),
            choose_candidates(rows, images, everywhere, {}, candidates, generator=generator).images,
            rows.complete(images, known, generator=generator),
        ]
        stacked = torch.stack([column.long() for column in columns], dim=1).flatten(0, 1)
        panels[title] = nx.show(stacked, model.levels, columns=len(columns), scale=4)
    return nx.show(panels)


if __name__ == "__main__":
    main()

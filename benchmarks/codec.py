"""The codec's speed, as ratios to a parallel pass and to sampling, and its rate beside other formats.

python benchmarks/codec.py RUN IMAGES [--count 1000] [--record docs/results/compression.json]

The images are those that the run held out of IMAGES, if it did. docs/scripts/compression.py makes tables of the record.
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
from collections.abc import Callable
from pathlib import Path

import torch

import nextpixel as nx
from nextpixel.cli.options import valid_part
from nextpixel.codec.container import read
from nextpixel.codec.fixed_point import fixed_point
from nextpixel.codec.images import shares_of
from nextpixel.codec.local_codec import crop_bits
from nextpixel.data.decode import to_image
from nextpixel.data.preview import sheet
from nextpixel.engines.layout import lay_out
from nextpixel.families.local_pixelcnn import LocalPixelCNN
from nextpixel.model_files.shipped import find_model
from nextpixel.scoring.references import Format, has_jpeg_xl, lossless_size
from timing import alternately, processor, ratio

VERIFIED = 64
"""So many images are decompressed again."""


@torch.no_grad()
def time_all(model: nx.ImageModel, some: torch.Tensor, own: torch.Tensor | None, turns: int) -> None:
    """Measure and print times."""
    data, wide = nx.compress(model, some, own), nx.compress(model, some, own, lanes=len(some))
    runs: dict[str, Callable[[], object]] = {
        "a parallel pass in float32": lambda: model.log_prob(some, own),
        "encoding": lambda: nx.compress(model, some, own),
        "sampling in float32": lambda: model.sample(len(some), own),
        "decoding": lambda: nx.decompress(model, data),
        "decoding, a lane an image": lambda: nx.decompress(model, wide),
    }
    times = alternately(runs, turns)
    for name in runs:
        print(f"{name:28}{1000 * statistics.median(times[name]):8.0f} ms, {len(some)} images")
    for over, under in (
        ("encoding", "a parallel pass in float32"),
        ("decoding", "sampling in float32"),
        ("decoding, a lane an image", "sampling in float32"),
    ):
        print(f"{over} is {ratio(times[over], times[under]):.2f} times {under}")


@torch.no_grad()
def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", help="a run or model folder, or nextpixel/NAME")
    parser.add_argument("images")
    parser.add_argument("--count", type=int, default=1000, help="the first so many images are compressed")
    parser.add_argument("--timed", type=int, default=64, help="so many are timed; 0 for no times")
    parser.add_argument("--record", type=Path, help="a JSON file that takes the sizes")
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    model = nx.load(arguments.run)
    if isinstance(model, LocalPixelCNN):
        pictures, _ = valid_part(model, nx.open_pictures(arguments.images), None)
        images = torch.stack([pictures[index] for index in range(min(arguments.count, len(pictures)))])
        condition = None
    else:
        held_out, _ = valid_part(model, nx.open_images(arguments.images, levels=model.levels), None)
        model.check_set(held_out, with_condition=False)
        images = held_out[: arguments.count]
        labels = None if model.condition is None else held_out.labels
        condition = None if labels is None else labels[: arguments.count]
    print(f"{processor()}; {arguments.threads} thread(s); torch {torch.__version__}")

    if arguments.timed:
        time_all(
            model,
            images[: arguments.timed],
            None if condition is None else condition[: arguments.timed],
            arguments.turns,
        )
    found_sizes = sizes(arguments.run, model, images, condition)
    for name, value in found_sizes.items():
        print(f"{name:28}{value:14,.4f}" if isinstance(value, float) else f"{name:28}{value!s:>14}")
    if arguments.record is not None:
        text = arguments.record.read_text(encoding="utf-8") if arguments.record.exists() else "{}"
        records = json.loads(text) | {Path(arguments.images).stem: found_sizes}
        arguments.record.write_text(json.dumps(records, indent=1) + "\n", encoding="utf-8")


def sizes(run: str, model: nx.ImageModel, images: torch.Tensor, labels: torch.Tensor | None) -> dict[str, object]:
    """What images take by a model and in other formats, in bytes, after a look whether they come back."""
    data = nx.compress(model, images, labels)
    some, own = images[:VERIFIED], None if labels is None else labels[:VERIFIED]
    restored = nx.decompress(model, nx.compress(model, some, own))
    assert isinstance(restored, torch.Tensor) and torch.equal(restored, some), "the images did not come back"
    if isinstance(model, LocalPixelCNN):
        twin_bits = sum(bits for _, bits in crop_bits(model, list(images)))
    else:
        layout = lay_out(fixed_point(model, read(data).ranges))
        classes = None if labels is None else labels.numpy()
        twin_bits = float(shares_of(layout, images.numpy(), classes).bits.sum())
    found: dict[str, object] = {
        "model": run,
        "images": len(images),
        "sub_pixels": images.numel(),
        "model_bytes": nx.evaluate(model, images, labels).nats * len(images) / math.log(2) / 8,
        "twin_bytes": twin_bits / 8,
        "file_bytes": len(data),
        "weights_bytes": sum((find_model(run) / name).stat().st_size for name in ("config.json", "model.safetensors")),
    }
    forms: list[Format] = ["PNG", "WebP"]
    for form in [*forms, "JPEG XL"] if has_jpeg_xl() else forms:
        found[f"{form} files"] = sum(lossless_size(to_image(image.numpy()), form) for image in images)
        found[f"{form} sheet"] = lossless_size(sheet(images), form)
    return found


if __name__ == "__main__":
    main()

"""The codec's speed, as ratios to a parallel pass and to sampling, and its rate beside other formats.

python benchmarks/codec.py RUN IMAGES [--count 1000]
"""

from __future__ import annotations

import argparse
import math
import statistics
import time
from pathlib import Path

import torch

import nextpixel as nx
from nextpixel.codec.container import read
from nextpixel.codec.fixed_point import fixed_point
from nextpixel.codec.images import shares_of
from nextpixel.data.decode import to_image
from nextpixel.scoring.references import has_jpeg_xl, lossless_size, sheet_bits_per_dim
from timing import processor


@torch.no_grad()
def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("images")
    parser.add_argument("--count", type=int, default=1000, help="the first so many images are compressed")
    parser.add_argument("--timed", type=int, default=64, help="so many are timed")
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    model = nx.load(arguments.run)
    found = nx.open_images(arguments.images, levels=model.levels)
    model.check_set(found, with_condition=False)
    images = found[: arguments.count]
    condition = None if model.condition is None else found.labels[: arguments.count]
    print(f"{processor()}; {arguments.threads} thread(s); torch {torch.__version__}")

    some, own = images[: arguments.timed], None if condition is None else condition[: arguments.timed]
    data, wide = nx.compress(model, some, own), nx.compress(model, some, own, lanes=len(some))
    runs = {
        "a parallel pass in float32": lambda: model.log_prob(some, own),
        "encoding": lambda: nx.compress(model, some, own),
        "sampling in float32": lambda: model.sample(len(some), own),
        "decoding": lambda: nx.decompress(model, data),
        "decoding, a lane an image": lambda: nx.decompress(model, wide),
    }
    times: dict[str, list[float]] = {name: [] for name in runs}
    for turn in range(arguments.turns + 1):
        for name, run in runs.items():
            start = time.perf_counter()
            run()
            if turn:
                times[name].append(time.perf_counter() - start)
    for name in runs:
        print(f"{name:28}{1000 * statistics.median(times[name]):8.0f} ms, {len(some)} images")
    for over, under in (
        ("encoding", "a parallel pass in float32"),
        ("decoding", "sampling in float32"),
        ("decoding, a lane an image", "sampling in float32"),
    ):
        middle = statistics.median(a / b for a, b in zip(times[over], times[under], strict=True))
        print(f"{over} is {middle:.2f} times {under}")

    data = nx.compress(model, images, condition)
    assert torch.equal(nx.decompress(model, data), images), "the images did not come back"
    contents = read(data)
    twin = fixed_point(model, contents.ranges)
    twin_bits = float(shares_of(twin, images, condition).bits.sum())
    model_bits = nx.evaluate(model, images, condition).nats * len(images) / math.log(2)
    size = images.numel()
    print(f"\n{len(images)} images, bits/dim")
    print(f"  {'the model':24}{model_bits / size:8.4f}")
    print(f"  {'its integer twin':24}{twin_bits / size:8.4f}  ({twin_bits / model_bits - 1:+.3%}; {twin.carrier})")
    rate = 8 * len(data) / size
    over = 8 * len(data) / twin_bits - 1
    more = len(data) - twin_bits / 8
    print(f"  {'the file':24}{rate:8.4f}  ({over:+.3%}, {more:.0f} bytes more; {len(data):,} bytes)")
    forms = ("PNG", "WebP", *(("JPEG XL",) if has_jpeg_xl() else ()))
    sheets = {}
    for form in forms:
        single = sum(lossless_size(to_image(image.numpy()), form) for image in images) * 8 / size
        sheets[form] = sheet_bits_per_dim(images, form)
        print(f"  {form:24}{single:8.4f}  one file an image; one sheet {sheets[form]:.4f}")
    best = min(sheets, key=lambda form: sheets[form])
    print(f"{1 - rate / sheets[best]:.1%} smaller than the best sheet ({best}), without the model")
    model_bytes = sum((arguments.run / name).stat().st_size for name in ("config.json", "model.safetensors"))
    saved = (sheets[best] - rate) * size / 8 / len(images)
    if saved > 0:
        print(f"with the model, {model_bytes:,} bytes, it pays from {math.ceil(model_bytes / saved):,} images on")


if __name__ == "__main__":
    main()

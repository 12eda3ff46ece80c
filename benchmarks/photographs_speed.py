"""Time and memory of compressing photographs, one thread.

    python benchmarks/photographs_speed.py turns PICTURE ... --turns 3 --efforts 1,5
    python benchmarks/photographs_speed.py growth PICTURE --megapixels 1,2,4,8,12 --effort 5

`turns`: nextpixel's encoding and decoding and JPEG XL's encoding at effort 9 (libjxl by imagecodecs) take turns. It
prints the medians of the ratios of each turn, in CPU seconds.

`growth`: one picture, mirrored at its edges until it has so many pixels and with a little noise, so that no format
finds what repeats, is compressed and decompressed, each in a process of its own. It prints CPU seconds, the peak of
memory above what the process took with PyTorch and the model, and the exponent of the growth of each.
"""

from __future__ import annotations

import argparse
import json
import math
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch
from PIL import Image

import nextpixel as nx

MEBIBYTE = 2**20
Result = TypeVar("Result")


def timed(work: Callable[..., Result], *arguments: object, **options: object) -> tuple[Result, float]:
    """What a call gives, and the CPU seconds that it takes."""
    start = time.process_time()
    result = work(*arguments, **options)
    return result, time.process_time() - start


def pixels_of(path: str) -> np.ndarray:
    """A picture's colours, uint8 `[H, W, 3]`."""
    return np.asarray(Image.open(path).convert("RGB"))


def as_image(pixels: np.ndarray) -> torch.Tensor:
    """uint8 `[3, H, W]`."""
    return torch.from_numpy(pixels.transpose(2, 0, 1).copy())


def turns(paths: Sequence[str], model: nx.ImageModel, efforts: Sequence[int], count: int) -> None:
    """Print how much longer nextpixel takes than JPEG XL."""
    import imagecodecs

    for path in paths:
        pixels = pixels_of(path)
        image = as_image(pixels)
        ratios: dict[str, list[float]] = {}
        for _ in range(count):
            _, yardstick = timed(imagecodecs.jpegxl_encode, pixels, lossless=True, effort=9, numthreads=1)
            for effort in efforts:
                data, encoding = timed(nx.compress, model, image, effort=effort)
                _, decoding = timed(nx.decompress, model, data)
                ratios.setdefault(f"effort {effort}: encoding", []).append(encoding / yardstick)
                ratios.setdefault(f"effort {effort}: decoding", []).append(decoding / yardstick)
        print(f"{Path(path).name}, {pixels.shape[1]} x {pixels.shape[0]}: times JPEG XL's encoding at effort 9")
        for name, values in ratios.items():
            print(f"  {name} {statistics.median(values):.2f} ({min(values):.2f} to {max(values):.2f})")


def mirrored(pixels: np.ndarray, megapixels: float) -> np.ndarray:
    """A picture of the same shape with so many pixels."""
    scale = math.sqrt(megapixels * 1e6 / (pixels.shape[0] * pixels.shape[1]))
    sides = [round(side * scale) for side in pixels.shape[:2]]
    after = [(0, max(0, side - old)) for side, old in zip(sides, pixels.shape[:2], strict=True)]
    whole = np.pad(pixels, [*after, (0, 0)], mode="symmetric")[: sides[0], : sides[1]].astype(np.int16)
    noise = np.random.default_rng(0).integers(-2, 3, whole.shape, dtype=np.int16)
    return (whole + noise).clip(0, 255).astype(np.uint8)


def peak() -> int:
    """The most bytes that this process has taken."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def one_size(path: str, model: nx.ImageModel, megapixels: float, effort: int, file: Path) -> None:
    """Compress a picture, or decompress the file where it is there, and print time and memory as JSON."""
    image = as_image(mirrored(pixels_of(path), megapixels))
    # Compiled code and kept tables are not what a picture costs.
    nx.decompress(model, nx.compress(model, image[:, :32, :32], effort=1))
    before = peak()
    if file.exists():
        data = file.read_bytes()
        _, taken = timed(nx.decompress, model, data)
    else:
        packed, taken = timed(nx.compress, model, image, effort=effort)
        file.write_bytes(packed)
    print(json.dumps({"seconds": taken, "memory": peak() - before}))


def growth(path: str, name: str, megapixels: Sequence[float], effort: int) -> None:
    """Print how time and memory grow with a picture."""
    lines: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory() as folder:
        for size in megapixels:
            for step in ("encoding", "decoding"):
                command = [sys.executable, __file__, "one", path, "--model", name, "--megapixels", str(size)]
                command += ["--effort", str(effort), "--file", str(Path(folder, f"{size}.npx"))]
                result = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
                lines.setdefault(step, []).append(result["seconds"])
                print(
                    f"{size:g} megapixels, {step}: {result['seconds']:.1f} s, "
                    f"{result['memory'] / MEBIBYTE:.0f} MiB above PyTorch's and the model's",
                    flush=True,
                )
    for step, times in lines.items():
        exponent = np.polyfit(np.log(megapixels), np.log(times), 1)[0]
        print(f"{step}: time grows with the power {exponent:.3f} of the pixels")


def numbers(text: str) -> list[float]:
    """Numbers between commas."""
    return [float(number) for number in text.split(",")]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["turns", "growth", "one"])
    parser.add_argument("pictures", nargs="+")
    parser.add_argument("--model", default="nextpixel/photographs")
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--efforts", default="1,5")
    parser.add_argument("--effort", type=int, default=5)
    parser.add_argument("--megapixels", default="1,2,4,8,12")
    parser.add_argument("--file", type=Path)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    if arguments.what == "growth":
        growth(arguments.pictures[0], arguments.model, numbers(arguments.megapixels), arguments.effort)
        return
    model = nx.load(arguments.model)
    if arguments.what == "turns":
        turns(arguments.pictures, model, [int(effort) for effort in numbers(arguments.efforts)], arguments.turns)
    else:
        one_size(arguments.pictures[0], model, numbers(arguments.megapixels)[0], arguments.effort, arguments.file)


if __name__ == "__main__":
    main()

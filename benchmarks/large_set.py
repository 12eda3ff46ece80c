"""A set larger than memory need be: start-up of training on it, resident memory while training, speed of reading.

python benchmarks/large_set.py [IMAGES] [--count 3000000] [--minutes 2] [--folder FOLDER]

Writes a prepared set of so many images, by repeating those it is given, and removes it afterwards. Linux only: memory
is read from /proc.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

import nextpixel as nx
from nextpixel.data import prepare

KINDS = ("VmRSS", "RssAnon", "RssFile")
SMALL = "--features 16 --layers 2 --batch-size 16 --levels 2 --grids 0 --valid-fraction 0.0001 --device cpu"
WINDOWS = 9
WARM_UP, END = 0.25, 0.95
QUIET = {**os.environ, "OMP_NUM_THREADS": "1"}


class Repeated:
    """A data set that yields a few images again and again, as PyTorch's data sets yield theirs."""

    def __init__(self, images: nx.ImageSet, count: int) -> None:
        self.images = images[:].numpy()
        self.labels = None if images.labels is None else images.labels.tolist()
        self.count = count

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> object:
        image = self.images[index % len(self.images)].transpose(1, 2, 0)
        return image if self.labels is None else (image, self.labels[index % len(self.images)])


def main() -> None:
    """Print all figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("images", nargs="?", default="digits")
    parser.add_argument("--count", type=int, default=3_000_000)
    parser.add_argument("--minutes", type=float, default=2.0)
    parser.add_argument("--folder", type=Path, help="where there is room; else the system's temporary folder")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        path = Path(folder) / "set"
        start = time.perf_counter()
        found = prepare(Repeated(nx.open_images(options.images), options.count), path)
        seconds = time.perf_counter() - start
        size = sum(file.stat().st_size for file in path.iterdir())
        print(f"prepared {len(found):,} images, {size / 1e9:.2f} GB, in {seconds:.0f} s, {len(found) / seconds:,.0f}/s")
        measure_reading(path)
        measure_start(path, Path(folder))
        measure_memory(path, Path(folder), options.minutes)


def memory(process: int | str) -> dict[str, float]:
    """Resident memory of a process in MB: all, its own, and mapped from files."""
    lines = Path(f"/proc/{process}/status").read_text().splitlines()
    found = dict(line.split(":", 1) for line in lines)
    return {kind: int(found[kind].split()[0]) / 1024 for kind in KINDS}


def measure_reading(path: Path, size: int = 64, batches: int = 2000) -> None:
    """Random batches read from the shards, and through mappings of the same files; twice each, in turns."""
    table = nx.open_images(path)._table
    mapped = [np.load(file, mmap_mode="r") for file in sorted(path.glob("images-*.npy"))]
    shard = len(mapped[0])

    def through_mappings(rows: np.ndarray) -> np.ndarray:
        found = np.empty((len(rows), *mapped[0].shape[1:]), np.uint8)
        for number in np.unique(rows // shard):
            own = rows // shard == number
            found[own] = mapped[number][rows[own] % shard]
        return found

    ways: dict[str, Callable[[np.ndarray], np.ndarray]] = {
        "read": table.pixels.__getitem__,
        "mapped": through_mappings,
    }
    random = np.random.default_rng(0)
    for way in ("read", "mapped", "read", "mapped"):
        choices = [random.integers(0, len(table.pixels), size) for _ in range(batches)]
        before, start = memory("self"), time.perf_counter()
        for rows in choices:
            ways[way](rows)
        rate = size * batches / (time.perf_counter() - start)
        growth = memory("self")["RssFile"] - before["RssFile"]
        print(f"{way}: {rate:,.0f} images/s in batches of {size}, mapped memory grows by {growth:.0f} MB")


def measure_start(path: Path, folder: Path, turns: int = 3) -> None:
    """Time from the start of the process to the first step of training; of a set of 1,000 images in turns with it."""
    small = folder / "small"
    prepare(Repeated(nx.open_images(path).subset(range(1000)), 1000), small)
    seconds: dict[Path, list[float]] = {path: [], small: []}
    processor: dict[Path, list[float]] = {path: [], small: []}
    for turn in range(turns):
        for each in seconds:
            run = folder / f"start-{each.name}-{turn}"
            start = time.perf_counter()
            process = train(each, run, "--steps 1")
            metrics = run / "metrics.jsonl"
            while process.poll() is None and not (metrics.exists() and metrics.stat().st_size):
                time.sleep(0.01)
            seconds[each].append(time.perf_counter() - start)
            processor[each].append(processor_seconds(process.pid))
            if process.wait() != 0:
                raise SystemExit("training failed")
    for each, name in ((path, "the large set"), (small, "1,000 images")):
        shown = ", ".join(f"{one:.1f}" for one in seconds[each])
        print(
            f"{name}: {statistics.median(seconds[each]):.1f} s from the start of the process to the first step"
            f" ({shown}), {statistics.median(processor[each]):.1f} s of them on a processor"
        )


def processor_seconds(process: int) -> float:
    """Seconds that a process has spent on processors."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def measure_memory(path: Path, folder: Path, minutes: float) -> None:
    """Resident memory over a training, without its start and end: single samples, and the peaks of equal stretches."""
    run = folder / "memory"
    process = train(path, run, f"--minutes {minutes} --validations 1 --valid-images 256")
    start, samples, metrics = None, [], run / "metrics.jsonl"
    while process.poll() is None:
        if start is None and metrics.exists() and metrics.stat().st_size:
            start = time.perf_counter()
        # A process that has ended has no memory any more.
        if "VmRSS" in Path(f"/proc/{process.pid}/status").read_text():
            samples.append((time.perf_counter() - start if start else 0.0, memory(process.pid)))
        time.sleep(0.05)
    if process.returncode != 0:
        raise SystemExit("training failed")
    # The evaluation at the end takes larger batches than the steps.
    warm = [each for seconds, each in samples if WARM_UP * 60 * minutes < seconds < END * 60 * minutes]
    for kind in KINDS:
        values = np.array([each[kind] for each in warm])
        print(f"{kind}: {_spread(values, 'single samples')}")
        # A step takes and returns memory many times; what a machine needs is the most of it.
        print(f"{kind}: {_spread(np.array([each.max() for each in np.array_split(values, WINDOWS)]), 'peaks')}")
    print(f"last line of the metrics: {metrics.read_text().splitlines()[-1]}")


def _spread(values: np.ndarray, what: str) -> str:
    middle = float(np.median(values))
    low, high = (100 * (float(each) / middle - 1) for each in (values.min(), values.max()))
    return (
        f"{len(values)} {what}, median {middle:.0f} MB ({low:+.1f} % to {high:+.1f} %), first {values[0]:.0f},"
        f" last {values[-1]:.0f}"
    )


def train(path: Path, run: Path, words: str) -> subprocess.Popen[bytes]:
    """Start a training of a small model in a process of its own."""
    command = [sys.executable, "-m", "nextpixel", "train", str(path), "--out", str(run), *SMALL.split(), *words.split()]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=QUIET)


if __name__ == "__main__":
    main()

"""The engines: what steps cost against a parallel pass, and the codec against sampling, in CPU seconds of one thread.

Everything takes turns, so that it meets the same moods of the machine, and the ratios are medians over the turns.

    python benchmarks/engines.py [--turns 7] [--only steps,codec,photograph,compiling,bits]
        [--run nextpixel/fashion-mnist-gated] [--images IMAGES] [--encoded 1000] [--picture PICTURE]
        [--random 10000]

`bits` compares the compiled engine with NumPy alone on random images of every family, and both with those that use
other instructions of the processor, each in a process of its own.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from unittest import mock

import numpy as np
import torch
from PIL import Image

import nextpixel as nx
from nextpixel.codec import wavefront
from nextpixel.codec.fixed_point import calibrate, fixed_point
from nextpixel.codec.images import decode, encode, shares_of
from nextpixel.engines import exact
from nextpixel.engines.layout import lay_out
from nextpixel.generation.engine_choice import Engine, only
from nextpixel.plan.lowering.families import LOWERINGS
from nextpixel.training.precision import placed
from timing import alternately, processor, ratio

CASES = [
    ("gated-pixelcnn", {"features": 64, "layers": 8}, 1, "3"),
    ("gated-pixelcnn", {"features": 64, "layers": 8}, 16, "-"),
    ("gated-pixelcnn", {"features": 64, "layers": 8}, 64, "-"),
    ("gated-pixelcnn", {"features": 64, "layers": 8}, 256, "-"),
    ("pixelcnn", {"features": 32, "layers": 7}, 1, "3"),
    ("pixelcnn", {"features": 32, "layers": 7}, 64, "1.5"),
    ("pixelcnn", {"features": 32, "layers": 7}, 256, "-"),
    ("row-lstm", {"features": 16, "layers": 7}, 1, "-"),
    ("row-lstm", {"features": 16, "layers": 7}, 64, "1.2"),
    ("diagonal-bilstm", {"features": 16, "layers": 7}, 1, "-"),
    ("diagonal-bilstm", {"features": 16, "layers": 7}, 64, "1.2"),
]
SHAPE = (1, 28, 28)
FAMILIES = (*LOWERINGS, "turned", "multiscale")
NUMPY_BEYOND_SSE = " ".join(np.show_config(mode="dicts")["SIMD Extensions"]["found"])
"""Instructions of this processor that NumPy chooses when it is started."""
PROCESSORS = {
    "SSE2": {
        "NUMBA_CPU_NAME": "x86-64",
        "OPENBLAS_CORETYPE": "Prescott",
        "NPY_DISABLE_CPU_FEATURES": NUMPY_BEYOND_SSE,
    },
    "AVX2": {"NUMBA_CPU_NAME": "haswell", "OPENBLAS_CORETYPE": "Haswell"},
    "AVX-512": {"NUMBA_CPU_NAME": "skylake-avx512", "OPENBLAS_CORETYPE": "SkylakeX"},
}
"""Processors as LLVM and OpenBLAS know them. One that this one has not the instructions of cannot run."""


def sampled(model: nx.ImageModel, count: int, engine: Engine | None = None) -> Callable[[], object]:
    """Sampling by one engine, or by the one that the rule chooses."""

    def sample() -> object:
        if engine is None:
            return model.sample(count)
        with only(engine):
            return model.sample(count)

    return sample


@torch.no_grad()
def steps(turns: int) -> None:
    """What steps cost."""
    print(f"{'':34}{'images':>7}{'/ a pass':>10}{'goal':>6}{'compiled':>10}{'PyTorch':>9}{'PyTorch / it':>14}")
    for family, options, count, goal in CASES:
        model = placed(nx.build(family, image_shape=SHAPE, levels=2, condition=None, **options).eval())
        images = torch.randint(2, (count, *SHAPE), dtype=torch.uint8)
        runs: dict[str, Callable[[], object]] = {
            "pass": partial(model.log_prob, images),
            "chosen": sampled(model, count),
            "compiled": sampled(model, count, "compiled"),
            "pytorch": sampled(model, count, "pytorch"),
        }
        times = alternately(runs, turns, clock=time.process_time)
        own, compiled, pytorch = (ratio(times[name], times["pass"]) for name in ("chosen", "compiled", "pytorch"))
        name = f"{family} {options['layers']} x {options['features']}"
        faster = ratio(times["pytorch"], times["chosen"])
        print(f"{name:34}{count:7}{own:10.2f}{goal:>6}{compiled:10.2f}{pytorch:9.2f}{faster:14.2f}", flush=True)


@contextmanager
def by_numpy() -> Iterator[None]:
    """Nothing is compiled."""
    with mock.patch.object(exact, "kernel", lambda: None), mock.patch.object(wavefront, "kernel", lambda: None):
        yield


def uncompiled(work: Callable[[], object]) -> Callable[[], object]:
    """The same by NumPy alone."""

    def run() -> object:
        with by_numpy():
            return work()

    return run


@torch.no_grad()
def codec(turns: int, run: str, source: str, encoded: int) -> None:
    """What encoding and decoding cost."""
    model = nx.load(run)
    images = nx.open_images(source, levels=model.levels)[: max(64, encoded)]
    some, many = images[:64], images[:encoded]
    data = nx.compress(model, some)
    runs = {
        "sampling": lambda: model.sample(len(some)),
        "decoding": lambda: nx.decompress(model, data),
        "decoding, NumPy": uncompiled(lambda: nx.decompress(model, data)),
        "pass of few": lambda: model.log_prob(some),
        "encoding, NumPy": uncompiled(lambda: nx.compress(model, some)),
        "pass": lambda: model.log_prob(many),
        "encoding": lambda: nx.compress(model, many),
    }
    times = alternately(runs, turns, clock=time.process_time)
    for name, under, count, goal in (
        ("decoding", "sampling", len(some), 2.0),
        ("decoding, NumPy", "sampling", len(some), None),
        ("encoding", "pass", len(many), 1.5),
        ("encoding, NumPy", "pass of few", len(some), None),
    ):
        wanted = "" if goal is None else f" (goal {goal})"
        print(f"{name:20}{count:6} images: {ratio(times[name], times[under]):6.2f} times {under}{wanted}", flush=True)


def photograph(turns: int, picture: Path | None) -> None:
    """What decoding one photograph costs."""
    model = nx.load("nextpixel/photographs")
    if picture is None:
        rows, columns = np.mgrid[:512, :768]
        noise = np.random.default_rng(0).normal(0, 4, (512, 768, 3))
        waves = 128 + 60 * np.sin(rows / 40) * np.cos(columns / 60)
        pixels = np.clip(waves[..., None] + noise, 0, 255).astype(np.uint8)
    else:
        with Image.open(picture) as opened:
            pixels = np.asarray(opened.convert("RGB"))
    image = torch.from_numpy(pixels.transpose(2, 0, 1).copy())
    data = nx.compress(model, image, effort=1)
    runs: dict[str, Callable[[], object]] = {"compiled": lambda: nx.decompress(model, data)}
    runs["NumPy"] = uncompiled(runs["compiled"])
    times = alternately(runs, turns, clock=time.process_time)
    sides = f"{image.shape[2]} x {image.shape[1]}"
    print(
        f"a photograph of {sides} decodes in {ratio(times['compiled'], times['NumPy']):.2f} of NumPy's time (goal 0.4)"
    )


PROGRAM = """
import time
start = time.process_time()
import nextpixel as nx
model = nx.build("gated-pixelcnn", image_shape=(1, 4, 4), levels=2, features=4, layers=1)
loaded = time.process_time()
model.sample(1)
print(time.process_time() - loaded)
"""


def compiling() -> None:
    """How long compiling takes, and starting from what was kept."""
    with tempfile.TemporaryDirectory() as folder:
        for name in ("compiled anew", "from what was kept"):
            environment = os.environ | {"NUMBA_CACHE_DIR": folder}
            run = subprocess.run([sys.executable, "-c", PROGRAM], env=environment, capture_output=True, check=True)
            print(f"the first sample takes {float(run.stdout):.1f} s, {name}", flush=True)


def digest(random: int) -> str:
    """Of the shares of random images of every family; decodes them, too."""
    whole = hashlib.sha256()
    for family in FAMILIES:
        torch.manual_seed(0)
        model = nx.build(family, image_shape=(3, 5, 4), levels=7, features=6, layers=2).eval()
        images = torch.randint(7, (random, 3, 5, 4), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))
        # Ranges are measured in floats, which processors may round otherwise.
        layout = lay_out(fixed_point(model, [3] * len(calibrate(model, images[:8]))))
        shares = shares_of(layout, images.numpy())
        streams, _ = encode(shares, min(random, 64))
        assert np.array_equal(decode(layout, streams, (random, 3, 5, 4)), images.numpy())
        whole.update(shares.frequencies.tobytes())
    return whole.hexdigest()


def bits(random: int) -> None:
    """Whether all engines and instruction sets give the same integers."""
    own = digest(random)
    with by_numpy():
        assert digest(random) == own, "NumPy gives other integers than the compiled engine"
    print(f"NumPy gives the same integers for {random} random images of each of {', '.join(FAMILIES)}", flush=True)
    for name, processor_environment in PROCESSORS.items():
        with tempfile.TemporaryDirectory() as folder:
            # Without a list of features LLVM takes those of this processor, whatever the name.
            environment = os.environ | processor_environment | {"NUMBA_CACHE_DIR": folder, "NUMBA_CPU_FEATURES": ""}
            command = [sys.executable, __file__, "--digest", "--random", str(random)]
            run = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        if run.returncode < 0:
            print(f"{name:8} does not run here: {signal.strsignal(-run.returncode)}", flush=True)
            continue
        assert run.returncode == 0, run.stderr
        assert run.stdout.split() == [own, own], f"{name} gives other integers"
        print(f"{name:8} gives the same integers, compiled and by NumPy", flush=True)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--turns", type=int, default=7)
    parser.add_argument("--only", default="steps,codec,photograph,compiling,bits")
    parser.add_argument("--run", default="nextpixel/fashion-mnist-gated")
    parser.add_argument("--images", default="fashion-mnist")
    parser.add_argument("--encoded", type=int, default=1000)
    parser.add_argument("--picture", type=Path)
    parser.add_argument("--random", type=int, default=10_000)
    parser.add_argument("--digest", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    if arguments.digest:
        print(digest(arguments.random))
        with by_numpy():
            print(digest(arguments.random))
        return
    print(f"{processor()}; one thread, CPU seconds; torch {torch.__version__}; medians of {arguments.turns} turns")
    sections: dict[str, Callable[[], None]] = {
        "steps": lambda: steps(arguments.turns),
        "codec": lambda: codec(arguments.turns, arguments.run, arguments.images, arguments.encoded),
        "photograph": lambda: photograph(arguments.turns, arguments.picture),
        "compiling": compiling,
        "bits": lambda: bits(arguments.random),
    }
    for name in arguments.only.split(","):
        sections[name]()


if __name__ == "__main__":
    main()

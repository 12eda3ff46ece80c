"""Damage files of every kind at random, again and again, and read them: pictures, arrays, archives, IDX files, tables.

    python benchmarks/damaged_data.py --count 100000

Each is read, or refused in words. Prints how many of each, the longest time, and the memory; exits with 1 if anything
else happened, and tells the number of the damage: `--first NUMBER --count 1` does it again.
"""

from __future__ import annotations

import argparse
import multiprocessing
import random
import resource
import sys
import tempfile
import time
import traceback
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

TESTS = Path(__file__).parents[1] / "tests"
AT_ONCE = 2000
"""In one process, so that a crash of a library is told and does not end the rest."""

MOST_SECONDS, MOST_MEGABYTES = 10.0, 1000


def main() -> int:
    """Damage, read, and tell."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=100_000)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--minutes", type=float, default=10, help="stop after so many")
    arguments = parser.parse_args()
    end = time.monotonic() + 60 * arguments.minutes
    counts: Counter[str] = Counter()
    wrong: list[str] = []
    slowest, memory = 0.0, 0
    numbers = range(arguments.first, arguments.first + arguments.count)
    for start in numbers[::AT_ONCE]:
        if time.monotonic() > end:
            break
        part = range(start, min(start + AT_ONCE, numbers.stop))
        with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
            try:
                told, faults, longest, grown = pool.submit(read_damaged, part).result()
            except Exception as error:
                told, faults, longest, grown = Counter(), [f"{part}: {error!r}"], 0.0, 0
        counts += told
        wrong += faults
        slowest, memory = max(slowest, longest), max(memory, grown)
    print(
        f"{counts.total():,} damaged files:", ", ".join(f"{number:,} {what}" for what, number in counts.most_common())
    )
    print(f"the longest took {slowest:.2f} s; memory grew by {memory} MB at most in {AT_ONCE} files")
    print(f"{len(wrong)} neither read nor refused", *wrong[:20], sep="\n")
    return bool(wrong) or slowest > MOST_SECONDS or memory > MOST_MEGABYTES


def read_damaged(numbers: range) -> tuple[Counter[str], list[str], float, int]:
    """Damage and read files: how many of each outcome, what went wrong, the longest time, and the growth of memory."""
    sys.path.insert(0, str(TESTS))
    from data.test_open_fuzz import SEEDS, damage, open_and_read
    from helpers.file_matrix import made_files
    from nextpixel.data.decode import decode
    from nextpixel.data.entries import Unusable

    counts: Counter[str] = Counter()
    wrong: list[str] = []
    slowest = 0.0
    pictures = list(made_files())
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        sets = {seed: make(folder) for seed, make in SEEDS.items() if not seed.startswith("image.")}
        before = _megabytes()
        for number in numbers:
            generator = random.Random(number)
            start = time.monotonic()
            # Opening a set takes some files and more time, so most of the damage is done to pictures.
            try:
                if generator.randrange(10):
                    seed = generator.choice(pictures)
                    what = seed.name
                    decode(seed.name, damage(seed.data, generator), deep=generator.random() < 0.5)
                    counts["pictures read"] += 1
                else:
                    what = generator.choice(sorted(sets))
                    (folder / what).write_bytes(damage(sets[what], generator))
                    counts["sets read" if open_and_read(folder / what) else "sets refused"] += 1
            except Unusable:
                counts["pictures refused"] += 1
            except Exception as error:
                line = traceback.extract_tb(error.__traceback__)[-1]
                wrong.append(f"{number} ({what}): {error!r} at {line.filename}:{line.lineno}")
            slowest = max(slowest, time.monotonic() - start)
    return counts, wrong, slowest, _megabytes() - before


def _megabytes() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


if __name__ == "__main__":
    sys.exit(main())

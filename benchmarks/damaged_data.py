"""Damage files of every kind at random, again and again, and read them: pictures, arrays, archives, IDX files, tables.

    python benchmarks/damaged_data.py --count 100000

Each is read, or refused in words. Prints how many of each, and which file took the longest and the most memory; exits
with 1 if anything else happened or one took too much, and tells the number of the damage: `--first NUMBER --count 1`
does it again.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import random
import sys
import tempfile
import time
import traceback
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import NamedTuple

from peak_memory import forget_peak, peak

TESTS = Path(__file__).parents[1] / "tests"
AT_ONCE = 10_000
"""In one process, so that a crash of a library is told and does not end the rest."""

MOST_SECONDS, MOST_MEGABYTES = 5.0, 1000
"""Of the processor, and of memory, for one file."""


class Told(NamedTuple):
    """What became of some files.

    Attributes:
        counts: how many of each outcome.
        wrong: what was neither read nor refused.
        slowest: the longest time of the processor for one file in seconds, and which file.
        largest: the most memory that one file took in MB, and which file.
    """

    counts: Counter[str]
    wrong: list[str]
    slowest: tuple[float, str]
    largest: tuple[int, str]

    def and_more(self, more: Told) -> Told:
        """This and what became of more files."""
        return Told(
            self.counts + more.counts,
            self.wrong + more.wrong,
            max(self.slowest, more.slowest),
            max(self.largest, more.largest),
        )


def main() -> int:
    """Damage, read, and tell."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=100_000)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--minutes", type=float, default=10, help="stop after so many")
    arguments = parser.parse_args()
    end = time.monotonic() + 60 * arguments.minutes
    told = Told(Counter(), [], (0.0, "none"), (0, "none"))
    numbers = range(arguments.first, arguments.first + arguments.count)
    for start in numbers[::AT_ONCE]:
        if time.monotonic() > end:
            break
        part = range(start, min(start + AT_ONCE, numbers.stop))
        with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
            try:
                told = told.and_more(pool.submit(read_damaged, part).result())
            except Exception as error:
                told.wrong.append(f"{part}: {error!r}")
    outcomes = ", ".join(f"{number:,} {what}" for what, number in told.counts.most_common())
    print(f"{told.counts.total():,} damaged files: {outcomes}")
    print(f"the longest took {told.slowest[0]:.2f} s of the processor ({told.slowest[1]})")
    print(f"the largest took {told.largest[0]} MB more than before ({told.largest[1]})")
    print(f"{len(told.wrong)} neither read nor refused", *told.wrong[:20], sep="\n")
    return bool(told.wrong) or told.slowest[0] > MOST_SECONDS or told.largest[0] > MOST_MEGABYTES


def read_damaged(numbers: range) -> Told:
    """Damage and read files of these numbers."""
    # What libraries say of damaged files is theirs to say, and would be a million lines.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stderr.fileno())
    sys.path.insert(0, str(TESTS))
    from data.test_open_fuzz import SEEDS, damage, open_and_read
    from helpers.file_matrix import made_files
    from nextpixel.data.decode import decode
    from nextpixel.data.entries import Unusable

    counts: Counter[str] = Counter()
    wrong: list[str] = []
    slowest, largest = (0.0, "none"), (0, "none")
    pictures = list(made_files())
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        sets = {seed: make(folder) for seed, make in SEEDS.items() if not seed.startswith("image.")}
        before = peak()
        for number in numbers:
            generator = random.Random(number)
            forget_peak()
            start = time.process_time()
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
            file = f"{number}, {what}"
            slowest = max(slowest, (time.process_time() - start, file))
            largest = max(largest, ((peak() - before) >> 20, file))
    return Told(counts, wrong, slowest, largest)


if __name__ == "__main__":
    sys.exit(main())

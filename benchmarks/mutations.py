"""Damaged and hostile .npx files: what a million mutants of the golden files do to whoever decodes them.

Golden files of all versions of the format are changed at random: bits, bytes, runs of bytes, numbers, and, in the
mutants with fitting checksums, whole parts of what they declare. The first kind has the checksum of the file as it was,
as a disk or a network leaves it; the second has it computed anew, as whoever means harm does. Processes with limits of
memory and time decode them, and what happens is counted:

    python benchmarks/mutations.py --random 1000000 --fitting 200000 --minutes 15

- refused: a `NextpixelError`;
- equal: the pixels of the golden file;
- other: other pixels, which must not be;
- slow: over `--seconds` of the processor;
- large: over `--megabytes` more than the process took before its first mutant;
- traceback: an error of another kind, or the end of the process.

With `--out FOLDER` every mutant that is not refused or equal is kept there; `--first NUMBER --random 1 --fitting 0`
makes one again. `--every-bit` tries every single-bit flip and every truncation of the files instead, none of which may
go unnoticed.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import random
import re
import resource
import signal
import time
import traceback
import zlib
from collections import Counter
from collections.abc import Iterator
from multiprocessing.connection import Connection
from multiprocessing.sharedctypes import Synchronized
from pathlib import Path
from types import FrameType
from typing import NamedTuple

import torch

import nextpixel as nx
from nextpixel.codec.container import Contents, read, varint, write
from peak_memory import forget_peak, peak

GOLDEN = Path(__file__).parent.parent / "tests" / "codec" / "golden"
BATCH = 100
OUTCOMES = ("refused", "equal", "other", "slow", "large", "traceback")
HUGE = (0, 1, 2, 127, 128, 255, 2**14, 2**20, 2**31, 2**53, 2**56)


class Golden(NamedTuple):
    """A file that must be decoded for ever, its model, and its pixels."""

    name: str
    data: bytes
    model: nx.ImageModel
    pictures: list[torch.Tensor]


def golden_files(names: list[str]) -> list[Golden]:
    """The golden files of these names; all of them for none."""
    files = []
    for path in sorted(GOLDEN.glob("*.npx")):
        if not names or path.stem in names:
            # Files of versions 3 to 5 stand beside those of versions 1 and 2, of the same model and, where they have no
            # pixels of their own, the same pictures.
            name = re.sub(r"-[345]$", "", path.stem)
            pixels = path.with_suffix(".json")
            pictures = json.loads((pixels if pixels.exists() else GOLDEN / f"{name}.json").read_text())
            tensors = [torch.tensor(picture, dtype=torch.uint8) for picture in pictures]
            files.append(Golden(path.stem, path.read_bytes(), nx.load(GOLDEN / name), tensors))
    return files


def damaged(data: bytes, other: bytes, chance: random.Random) -> bytes:
    """Bytes with one to four changes."""
    mutant = bytearray(data)
    for _ in range(chance.choice((1, 1, 1, 2, 4))):
        if not mutant:
            return b""
        # What a file declares stands at its beginning, and there changes tell most.
        most = len(mutant) if chance.random() < 0.5 else min(len(mutant), 64)
        at, length = chance.randrange(most), chance.randint(1, 8)
        match chance.randrange(9):
            case 0:
                mutant[at] ^= 1 << chance.randrange(8)
            case 1:
                mutant[at] = chance.randrange(256)
            case 2:
                mutant[at : at + length] = chance.randbytes(length)
            case 3:
                mutant[at:at] = chance.randbytes(length)
            case 4:
                del mutant[at : at + length]
            case 5:
                mutant[at:at] = mutant[at : at + length]
            case 6:
                mutant[at : at + chance.choice((1, 1, 2))] = varint(chance.choice(HUGE))
            case 7:
                start = chance.randrange(len(other))
                mutant[at : at + length] = other[start : start + length]
            case 8:
                del mutant[chance.randrange(len(mutant)) :]
    return bytes(mutant)


def rewritten(contents: Contents, chance: random.Random) -> bytes:
    """A file, as a writer of nonsense would write it, with one to three parts changed."""
    for _ in range(chance.choice((1, 1, 2, 3))):
        lanes = [(block, lane) for block, streams in enumerate(contents.blocks) for lane in range(len(streams))]
        match chance.randrange(9):
            case 0 if contents.shapes:
                at = chance.randrange(len(contents.shapes))
                shape = list(contents.shapes[at])
                shape[chance.randrange(3)] = chance.choice((1, 2, 3, 4, 5, 8, 64, 255, 2**12))
                contents.shapes[at] = (shape[0], shape[1], shape[2])
            case 1 if contents.shapes:
                contents.shapes += [chance.choice(contents.shapes)] * chance.choice((1, 2, 20, 300))
            case 2 if lanes:
                block, lane = chance.choice(lanes)
                stream = contents.blocks[block][lane]
                contents.blocks[block][lane] = chance.choice(
                    (b"", stream[: len(stream) // 2], stream + chance.randbytes(2), chance.randbytes(len(stream)))
                )
            case 3 if lanes:
                block, lane = chance.choice(lanes)
                contents.blocks[block].insert(lane, chance.choice((b"", contents.blocks[block][lane])))
            case 4 if contents.blocks:
                contents.blocks.insert(0, chance.choice(contents.blocks))
            case 5 if contents.ranges:
                contents.ranges[chance.randrange(len(contents.ranges))] = chance.randrange(16)
            case 6 if contents.shapes:
                contents.stored[chance.randrange(len(contents.shapes))] = chance.randbytes(chance.randrange(40))
                contents.kinds = {image: chance.randrange(3) for image in contents.stored}
            case 7:
                contents.adaptation = damaged(contents.adaptation or b"\1\1\1\1", b"\0", chance)
            case 8 if contents.labels:
                contents.labels[chance.randrange(len(contents.labels))] = chance.choice(HUGE)
    return write(contents)


def mutant_of(files: list[Golden], number: int, seed: int, *, fitting: bool) -> tuple[Golden, bytes]:
    """The file of a mutant, and the mutant, both by its number."""
    chance = random.Random(f"{seed} {fitting} {number}")
    golden = files[number % len(files)]
    if not fitting:
        return golden, damaged(golden.data, chance.choice(files).data, chance)
    if chance.random() < 0.5:
        return golden, rewritten(read(golden.data), chance)
    body = damaged(golden.data[:-4], chance.choice(files).data, chance)
    return golden, body + zlib.crc32(body).to_bytes(4, "little")


def flips_and_truncations(files: list[Golden]) -> Iterator[tuple[Golden, bytes]]:
    """Every single-bit flip and every truncation."""
    for golden in files:
        for place in range(8 * len(golden.data)):
            flipped = bytearray(golden.data)
            flipped[place // 8] ^= 1 << place % 8
            yield golden, bytes(flipped)
        for length in range(len(golden.data)):
            yield golden, golden.data[:length]


class TooSlowError(Exception):
    """The time of a mutant is over."""


def _time_is_over(_number: int, _frame: FrameType | None) -> None:
    raise TooSlowError


def decoded(golden: Golden, mutant: bytes, seconds: float | None) -> str:
    """What a mutant does, but for the memory that it takes; within any time for None."""
    try:
        signal.setitimer(signal.ITIMER_PROF, seconds or 0)
        try:
            pictures = nx.decompress(golden.model, mutant)
        finally:
            signal.setitimer(signal.ITIMER_PROF, 0)
    except nx.NextpixelError:
        return "refused"
    except TooSlowError:
        return "slow"
    except BaseException:
        traceback.print_exc()
        return "traceback"
    equal = len(pictures) == len(golden.pictures) and all(map(torch.equal, pictures, golden.pictures))
    return "equal" if equal else "other"


class Tally:
    """What happened to mutants of one kind.

    Attributes:
        counts: how many of each outcome.
        longest: seconds of the processor, and the mutant that took them.
        most: bytes of memory, likewise.
        wrong: number, name of the file, outcome, seconds and bytes of each mutant that is not as it should be.
    """

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.longest, self.most = (0.0, "none"), (0, "none")
        self.wrong: list[tuple[int, str, str, float, int]] = []

    def add(self, number: int, name: str, outcome: str, seconds: float, more: int) -> None:
        """Count one."""
        self.counts[outcome] += 1
        self.longest = max(self.longest, (seconds, f"{name} {number}"))
        self.most = max(self.most, (more, f"{name} {number}"))
        if outcome not in ("refused", "equal"):
            self.wrong.append((number, name, outcome, seconds, more))

    def take(self, other: Tally) -> None:
        """Count those of another tally."""
        self.counts += other.counts
        self.longest, self.most = max(self.longest, other.longest), max(self.most, other.most)
        self.wrong += other.wrong

    def __str__(self) -> str:
        counts = ", ".join(f"{outcome} {self.counts[outcome]:,}" for outcome in OUTCOMES)
        return (
            f"{self.counts.total():,} mutants: {counts}; the longest took {self.longest[0]:.2f} s ({self.longest[1]}), "
            f"the largest {self.most[0] / 2**20:.0f} MB more than before ({self.most[1]})"
        )


def work(pipe: Connection, current: Synchronized[int], arguments: argparse.Namespace) -> None:
    """Decode the mutants whose numbers arrive, and send a tally of each lot; `current` is the one that is decoded."""
    torch.set_num_threads(1)
    signal.signal(signal.SIGPROF, _time_is_over)
    files = golden_files(arguments.files)
    for golden in files:
        nx.decompress(golden.model, golden.data)
    at_start = peak()
    limit = at_start + 4 * arguments.megabytes * 2**20
    virtual = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (virtual + limit, virtual + limit))
    while (task := pipe.recv()) is not None:
        fitting, numbers = task
        tally = Tally()
        for number in numbers:
            current.value = number
            golden, mutant = mutant_of(files, number, arguments.seed, fitting=fitting)
            forget_peak()
            start = time.process_time()
            outcome = decoded(golden, mutant, arguments.seconds)
            seconds = time.process_time() - start
            more = max(0, peak() - at_start)
            if outcome in ("refused", "equal") and more > arguments.megabytes * 2**20:
                outcome = "large"
            tally.add(number, golden.name, outcome, seconds, more)
        pipe.send(tally)


class Worker:
    """A process that decodes, which is replaced when it ends or hangs."""

    def __init__(self, arguments: argparse.Namespace) -> None:
        self.arguments = arguments
        self.start()

    def start(self) -> None:
        """Begin with a new process."""
        # A new interpreter, as a fork has the memory of its parent.
        context = multiprocessing.get_context("spawn")
        self.pipe, end = context.Pipe()
        self.current = context.Value("q", -1)
        self.process = context.Process(target=work, args=(end, self.current, self.arguments), daemon=True)
        self.process.start()
        end.close()

    def tally(self, numbers: range, *, fitting: bool) -> Tally:
        """What the mutants of these numbers do."""
        if not numbers:
            return Tally()
        self.pipe.send((fitting, numbers))
        try:
            # What a signal cannot interrupt is ended from here.
            if not self.pipe.poll(600):
                raise EOFError
            tally: Tally = self.pipe.recv()
        except (EOFError, ConnectionError):
            hung = self.process.is_alive()
            self.process.kill()
            self.process.join()
            number = self.current.value
            self.start()
            if number not in numbers:
                raise RuntimeError("the process ended before its first mutant") from None
            tally = Tally()
            tally.add(number, "end of the process", "slow" if hung else "traceback", 0.0, 0)
            for part in (range(numbers.start, number), range(number + 1, numbers.stop)):
                tally.take(self.tally(part, fitting=fitting))
        return tally

    def end(self) -> None:
        """End the process."""
        self.pipe.send(None)
        self.process.join(10)
        self.process.kill()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--random", type=int, default=1_000_000, help="mutants whose checksum does not fit")
    parser.add_argument("--fitting", type=int, default=200_000, help="mutants whose checksum fits")
    parser.add_argument("--minutes", type=float, default=15.0, help="end each kind after half of these")
    parser.add_argument("--seconds", type=float, default=2.0, help="a mutant is slow beyond these")
    parser.add_argument("--megabytes", type=int, default=500, help="a mutant is large beyond these")
    parser.add_argument("--first", type=int, default=0, help="number of the first mutant")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--files", nargs="*", default=[], help="golden files, by name; all of them by default")
    parser.add_argument("--every-bit", action="store_true", help="every single-bit flip and truncation instead")
    parser.add_argument("--out", type=Path, help="a folder that keeps the mutants that are not as they should be")
    arguments = parser.parse_args()
    if arguments.out is not None:
        arguments.out.mkdir(parents=True, exist_ok=True)
    files = golden_files(arguments.files)
    if arguments.every_bit:
        signal.signal(signal.SIGPROF, _time_is_over)
        tally = Tally()
        for number, (golden, mutant) in enumerate(flips_and_truncations(files)):
            start = time.process_time()
            outcome = decoded(golden, mutant, arguments.seconds)
            tally.add(number, golden.name, outcome, time.process_time() - start, 0)
        print("every bit and truncation:", tally)
        return
    worker = Worker(arguments)
    for title, count in (("random", arguments.random), ("fitting", arguments.fitting)):
        tally = Tally()
        start = time.monotonic()
        numbers = range(arguments.first, arguments.first + count)
        for first in numbers[::BATCH]:
            if time.monotonic() - start > 30 * arguments.minutes:
                break
            lot = worker.tally(range(first, min(first + BATCH, numbers.stop)), fitting=title == "fitting")
            tally.take(lot)
            for number, name, outcome, seconds, more in lot.wrong:
                print(f"{title} {number} of {name}: {outcome}, {seconds:.2f} s, {more / 2**20:.0f} MB", flush=True)
                if arguments.out is not None:
                    _, mutant = mutant_of(files, number, arguments.seed, fitting=title == "fitting")
                    (arguments.out / f"{title}-{number}-{outcome}.npx").write_bytes(mutant)
        print(f"{title}: {tally}", flush=True)
        print(f"{title}: {time.monotonic() - start:.0f} s, process {os.getpid()}, seed {arguments.seed}", flush=True)
    worker.end()


if __name__ == "__main__":
    main()

"""Let the power fail at moments chosen at random, on a simulated disk that drops what was not synced.

    python benchmarks/power_cuts.py --cuts 100

Commands write to the disk of `tests/helpers/power_loss.py`, which is the worst that the rules allow. What a cut leaves
is whole, absent, or torn; of a training it is whole if its last checkpoint can be read, and its model where it has both
weights and description, and torn if not. What was reported as done and is not there is lost. Exits with 1 if anything
is torn or lost.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

import nextpixel as nx
from nextpixel.cli.app import run
from nextpixel.errors import NextpixelError
from nextpixel.plan.model_folder import MODEL_FILES
from nextpixel.training.checkpoint import State
from nextpixel.training.run_folder import RunFolder

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from helpers.places import filled
from helpers.power_loss import Disk
from helpers.tiny_models import tiny
from runtime.test_power_loss import COMMANDS, actual, part

NAMES = ("train", "prepare", "compress", "decompress", "export")
WHOLE, ABSENT, TORN, LOST = "whole", "absent", "torn", "lost"


def of_command(name: str, place: Path) -> Iterator[str]:
    """What each cut during a command leaves, and one after it."""
    words = [word.format(place) for word in COMMANDS[name]]
    out = words[words.index("--out") + 1].removeprefix(f"{place}/results/")
    with pytest.MonkeyPatch.context() as patch, Disk(place / "results", patch) as disk:
        assert run(words) == 0
    whole = actual(place / "results", out)
    done = len(disk.cuts) - len(disk.after)
    for number, cut in enumerate(disk.cuts):
        left = part(cut, out)
        outcome = WHOLE if left == whole else ABSENT if not left else TORN
        yield LOST if outcome == ABSENT and number >= done else outcome


def of_training(place: Path) -> Iterator[str]:
    """Likewise of a training, whose checkpoints are reported."""
    images = nx.open_images(place / "images.npz")
    settings = nx.TrainingSettings(steps=6, batch_size=8, warmup=1, grids=1, validations=2, checkpoint_minutes=0)
    write = RunFolder.write_checkpoint
    with pytest.MonkeyPatch.context() as patch, Disk(place / "results", patch) as disk:

        def reporting(folder: RunFolder, state: State) -> None:
            write(folder, state)
            disk.reported = state["step"]

        patch.setattr(RunFolder, "write_checkpoint", reporting)
        model = tiny("gated-pixelcnn")
        nx.train(model, images.subset(range(30)), place / "results" / "run", images.subset(range(30, 40)), settings)
    restored = place / "restored"
    for cut, step in zip(disk.cuts, disk.reported_then, strict=True):
        shutil.rmtree(restored, ignore_errors=True)
        restored.mkdir()
        disk.restore(cut, restored)
        folder = RunFolder(restored / "run")
        try:
            if all((folder.path / name).exists() for name in MODEL_FILES):
                nx.load(folder.path)
            if not folder.has_checkpoint:
                yield ABSENT if step is None else LOST
                continue
            state, _ = folder.read_checkpoint()
        except NextpixelError:
            yield TORN
            continue
        yield WHOLE if step is None or state["step"] >= step else LOST


def main() -> int:
    """Try all, choose, count and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cuts", type=int, default=100, help="how many, divided among the commands")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    chance = random.Random(arguments.seed)
    everything: Counter[str] = Counter()
    for number, name in enumerate(NAMES):
        share = len(range(number, arguments.cuts, len(NAMES)))
        with tempfile.TemporaryDirectory() as folder:
            os.environ["NEXTPIXEL_CACHE"] = str(Path(folder) / "cache")
            place = filled(Path(folder))
            outcomes = list(of_training(place) if name == "train" else of_command(name, place))
        counts = Counter(chance.sample(outcomes, min(share, len(outcomes))))
        everything += counts
        print(f"{name}: {told(counts)}, of {len(outcomes)} moments: {told(Counter(outcomes))}")
    print(f"all: {told(everything)}, of {everything.total()} cuts")
    return bool(everything[TORN] or everything[LOST])


def told(counts: Counter[str]) -> str:
    """The counts in words."""
    return ", ".join(f"{counts[outcome]} {outcome}" for outcome in (WHOLE, ABSENT, TORN, LOST))


if __name__ == "__main__":
    sys.exit(main())

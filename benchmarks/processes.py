"""Training in one process, in two, and on two "machines" of one process: the same figures, and how fast.

    python benchmarks/processes.py

All of them train the same model on the same images. The table gives the largest relative difference of the training
loss over all steps, the difference of the final evaluation, and the median, over turns, of the images a second as a
ratio to one process with two threads. The turns alternate, so that all meet the same moods of the machine.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import nextpixel as nx
from nextpixel.training.run_folder import read_metrics

WAYS = ("one process", "two processes", "two machines")


def launch(way: str, words: list[str], port: int) -> None:
    """Run `nextpixel train` in one of the ways."""
    if way == "one process":
        command = [[sys.executable, "-m", "nextpixel", *words]]
    elif way == "two processes":
        command = [[sys.executable, "-m", "torch.distributed.run", "--nproc-per-node=2", "-m", "nextpixel", *words]]
    else:
        common = ["--nnodes=2", "--nproc-per-node=1", "--master-addr=127.0.0.1", f"--master-port={port}"]
        command = [
            [sys.executable, "-m", "torch.distributed.run", *common, f"--node-rank={rank}", "-m", "nextpixel", *words]
            for rank in (0, 1)
        ]
    environment = {**os.environ, "OMP_NUM_THREADS": "2" if way == "one process" else "1"}
    running = [
        subprocess.Popen(each, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for each in command
    ]
    if any(process.wait() for process in running):
        raise SystemExit(f"{way} failed")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default="digits")
    parser.add_argument("--model", default="gated-pixelcnn")
    parser.add_argument("--options", default="--features 32 --layers 6 --batch-size 64")
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--turns", type=int, default=3)
    arguments = parser.parse_args()
    speeds: dict[str, list[float]] = {way: [] for way in WAYS}
    losses: dict[str, list[float]] = {}
    finals: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as folder:
        for turn in range(arguments.turns):
            for number, way in enumerate(WAYS):
                out = Path(folder) / f"{way.replace(' ', '-')}-{turn}"
                words = (
                    f"train {arguments.data} --model {arguments.model} {arguments.options} --grids 0 --validations 1"
                )
                words += f" --steps {arguments.steps} --out {out}"
                launch(way, words.split(), 29600 + 3 * turn + number)
                lines = [line for line in read_metrics(out / "metrics.jsonl") if "train_nats" in line]
                speeds[way].append(statistics.median(line["images_per_second"] for line in lines[1:]))
                losses[way] = [line["train_nats"] for line in lines]
                likelihood = nx.load(out).record.likelihood
                assert likelihood is not None
                finals[way] = likelihood.nats
    first = WAYS[0]
    print(f"{'':16}{'images/s':>10}{'ratio':>8}{'largest difference of the loss':>32}{'of the evaluation':>20}")
    for way in WAYS:
        ratio = statistics.median(own / base for own, base in zip(speeds[way], speeds[first], strict=True))
        loss = max(abs(own - base) / base for own, base in zip(losses[way], losses[first], strict=True))
        final = abs(finals[way] - finals[first]) / finals[first]
        print(f"{way:16}{statistics.median(speeds[way]):10.0f}{ratio:8.2f}{loss:32.1e}{final:20.1e}")


if __name__ == "__main__":
    main()

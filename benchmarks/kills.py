"""Kill a training again and again with SIGKILL, at random moments, and compare its weights with an undisturbed one's.

    python benchmarks/kills.py --kills 50

Prints the SHA-256 of both, and where the run was hit; exits with 1 if they differ.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from nextpixel.errors import TrainingError
from nextpixel.training.checkpoint import read_checkpoint
from nextpixel.training.run_folder import RunFolder


def digest(path: Path) -> str:
    return hashlib.sha256((path / "model.safetensors").read_bytes()).hexdigest()


def step_of(run: Path) -> int:
    """The step that the run would go on from."""
    try:
        return int(read_checkpoint(run / "checkpoint.pt")["step"])
    except TrainingError:
        return 0


def age(run: Path) -> int:
    """When the last checkpoint was written, in the file system's clock; 0 where there is none."""
    path = RunFolder(run).checkpoint
    return path.stat().st_mtime_ns if path.exists() else 0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--model", default="gated-pixelcnn")
    parser.add_argument("--steps", type=int, default=3000)
    parser.add_argument("--longest", type=float, default=1.0, help="seconds until it is killed, at most")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    words = f"train digits --model {arguments.model} --features 16 --layers 3 --dropout 0.1 --batch-size 8"
    words += f" --steps {arguments.steps} --validations 30 --valid-images 50 --grids 5 --grid-images 4"
    words += " --checkpoint-minutes 0.005 --resume"
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    generator = random.Random(arguments.seed)
    with tempfile.TemporaryDirectory() as folder:
        whole, parts = Path(folder) / "whole", Path(folder) / "parts"

        def command(out: Path) -> list[str]:
            return [sys.executable, "-m", "nextpixel", *words.split(), "--out", str(out)]

        subprocess.run(command(whole), check=True, env=environment, capture_output=True)
        kills = 0
        while kills < arguments.kills:
            process = subprocess.Popen(
                command(parts), env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
            )
            # Most of them after a checkpoint of this process, some while it starts.
            training = generator.random() < 0.9
            before = age(parts)
            while training and process.poll() is None and age(parts) == before:
                time.sleep(0.01)
            lives, start = generator.uniform(0, arguments.longest), time.monotonic()
            while process.poll() is None and time.monotonic() - start < lives:
                time.sleep(0.001)
            if process.poll() is None:
                process.kill()
            _, errors = process.communicate()
            if process.returncode != -signal.SIGKILL:
                print(f"the run ended by itself (exit code {process.returncode}) after {kills} kills: {errors[-300:]}")
                break
            kills += 1
            began = "training" if training else "process"
            print(
                f"kill {kills}, {lives:.2f} s after the {began} began; the checkpoint is of step {step_of(parts)}",
                flush=True,
            )
        subprocess.run(command(parts), check=True, env=environment, capture_output=True)
        one, two = digest(whole), digest(parts)
    print(f"undisturbed       {one}\n{kills} times killed   {two}\n{'equal' if one == two else 'DIFFERENT'}")
    sys.exit(one != two)


if __name__ == "__main__":
    main()

"""What the commands of people cost: CPU seconds and the most memory, of a process from its start to its end.

    python benchmarks/commands.py [--record docs/results/commands.json]

Models that come along, in one thread; docs/scripts/benchmarks.py makes a table of the record. The seconds are those of
the processor, which other work on the machine changes little, and hold the start of Python and PyTorch.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import importlib.util
import json
import os
import shlex
import sys
import tempfile
from pathlib import Path

from timing import processor

COMMANDS = {
    "draw 64 images of 28 × 28, 256 levels": "sample nextpixel/mnist-256-gated --count 64 --out drawn.png",
    "draw 64 files": "sample nextpixel/mnist-256-gated --count 64 --out pictures",
    "complete 64 images of 8 × 8": "complete nextpixel/digits-gated digits --limit 64 --known top --out completed",
    "score 180 images of 8 × 8": "score nextpixel/digits-gated digits --split test --out scores.csv",
    "compress 64 images of 28 × 28": "compress nextpixel/mnist-256-gated pictures --out pictures.npx",
    "decompress them": "decompress nextpixel/mnist-256-gated pictures.npx --out restored",
}
UNTOLD = ("draw 64 files",)
"""They prepare what the next ones need."""


def main() -> None:
    """Run each command, print what it took, and write the record."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--record", type=Path)
    options = parser.parse_args()
    measured = {}
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    with tempfile.TemporaryDirectory() as folder:
        for title, words in COMMANDS.items():
            arguments = [sys.executable, "-m", "nextpixel", *shlex.split(words)]
            child = os.posix_spawn("/usr/bin/env", ["env", "-C", folder, *arguments], environment)
            _, status, used = os.wait4(child, 0)
            if status:
                raise SystemExit(f"{shlex.join(arguments)} ended with {os.waitstatus_to_exitcode(status)}")
            if title not in UNTOLD:
                seconds = round(used.ru_utime + used.ru_stime, 2)
                megabytes = used.ru_maxrss // 1024
                measured[title] = {"command": f"nextpixel {words}", "seconds": seconds, "megabytes": megabytes}
                print(title, measured[title], flush=True)
    if options.record is not None:
        record = {
            "commands": measured,
            "processor": processor(),
            "versions": {name: importlib.metadata.version(name) for name in ("torch", "numpy")},
            "fast": importlib.util.find_spec("numba") is not None,
        }
        options.record.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()

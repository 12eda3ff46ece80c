"""What of the package works where nothing but its hard dependencies is installed."""

import os
import subprocess
import sys

import numpy as np
import pytest

EXTRAS = (
    *("datasets", "huggingface_hub", "imagecodecs", "matplotlib", "numba", "pillow_heif", "pillow_jxl", "scipy"),
    *("sklearn", "starlette", "tensorboard", "tifffile", "uvicorn"),
)
PROGRAM = f"""
import sys
for name in {EXTRAS!r}:
    sys.modules[name] = None  # importing it raises ModuleNotFoundError
from nextpixel.cli.app import main
main(sys.argv[1:])
"""


@pytest.fixture
def nextpixel(tmp_path, monkeypatch):
    """Run a command in a process that can import no extra."""
    monkeypatch.setenv("NEXTPIXEL_CACHE", str(tmp_path / "cache"))

    def run(*arguments):
        return subprocess.run(
            [sys.executable, "-c", PROGRAM, *map(str, arguments)],
            cwd=tmp_path,
            env=os.environ | {"OMP_NUM_THREADS": "1"},
            capture_output=True,
            text=True,
        )

    return run


def test_the_quickstart_works(nextpixel, tmp_path):
    done = nextpixel("quickstart")
    assert done.returncode == 0, done.stderr
    assert "pixel for pixel" in done.stdout and (tmp_path / "quickstart" / "samples.png").is_file()


@pytest.mark.parametrize(
    "arguments",
    [
        ("score", "nextpixel/digits-gated", "digits", "--split", "test", "--out", "s.csv", "--summary", "s.png"),
        ("export", "nextpixel/digits-gated", "--valid", "digits", "--out", "exported"),
    ],
)
def test_charts_say_what_to_install(nextpixel, tmp_path, arguments):
    done = nextpixel(*arguments)
    assert done.returncode == 2 and done.stderr.count("\n") == 1, done.stderr
    assert "pip install 'nextpixel[plots]'" in done.stderr
    assert not [path for path in tmp_path.iterdir() if path.name != "cache"]


def test_heat_maps_need_no_chart(nextpixel, tmp_path):
    np.savez(tmp_path / "few.npz", images=np.zeros((3, 8, 8), np.uint8), levels=17)
    done = nextpixel("score", "nextpixel/digits-gated", "few.npz", "--out", "s.csv", "--maps", "maps")
    assert done.returncode == 0, done.stderr
    assert len(list((tmp_path / "maps").iterdir())) == 3

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import nextpixel as nx

ROOT = Path(__file__).parents[1]


def test_import_is_quick_because_torch_waits():
    code = "import sys, nextpixel; nextpixel.models(); sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_every_public_name_is_there():
    for name in nx.__all__:
        assert getattr(nx, name) is not None
    assert set(nx.__all__) <= set(dir(nx))


def test_all_errors_are_nextpixel_errors():
    for error in (nx.DataError, nx.InputError, nx.ModelError, nx.TrainingError):
        assert issubclass(error, nx.NextpixelError)


def test_the_oldest_versions_are_the_lowest_that_are_allowed():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    requirements = [
        *project["dependencies"],
        *(line for extra in project["optional-dependencies"].values() for line in extra),
    ]
    lowest = dict(
        re.fullmatch(r"([\w-]+)(?:\[.*\])?>=([\d.]+).*", line).groups() for line in requirements if ">=" in line
    )
    lines = (ROOT / "packaging" / "oldest.txt").read_text().splitlines()
    oldest = dict(line.split("==") for line in lines if not line.startswith("#"))
    assert oldest == {name: lowest[name] for name in oldest}
    assert {re.match(r"[\w-]+", line)[0] for line in project["dependencies"]} <= set(oldest)

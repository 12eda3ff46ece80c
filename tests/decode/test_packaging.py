"""The wheel `nextpixel-decode` holds what the command imports, and nothing else."""

import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]
SOURCES = ROOT / "src"
SHIPPED = "nextpixel/model_files/shipped/photographs"
COMPILED = {"nextpixel/engines/kernel.py", "nextpixel/engines/products.py"}
"""Imported where numba is installed, when it is first needed."""
DATA = {"nextpixel/py.typed", f"{SHIPPED}/config.json", f"{SHIPPED}/model.safetensors"}

IMPORTED = """
import sys
import nextpixel.decode.__main__
for name, module in sys.modules.items():
    if name.partition(".")[0] == "nextpixel":
        print(module.__file__)
"""


def test_the_files_are_those_that_are_imported():
    run = subprocess.run([sys.executable, "-c", IMPORTED], capture_output=True, text=True, check=True)
    imported = {Path(path).resolve().relative_to(SOURCES).as_posix() for path in run.stdout.split("\n") if path}
    settings = tomllib.loads((ROOT / "packaging" / "decode" / "pyproject.toml").read_text(encoding="utf-8"))
    included = settings["tool"]["hatch"]["build"]["targets"]["wheel"]["force-include"]
    assert set(included.values()) == imported | COMPILED | DATA
    assert all(source == f"../../src/{place}" for source, place in included.items())


def test_versions_of_numpy_and_pillow_are_those_of_the_package():
    decode, package = (
        set(tomllib.loads((ROOT / folder / "pyproject.toml").read_text(encoding="utf-8"))["project"]["dependencies"])
        for folder in ("packaging/decode", ".")
    )
    assert decode == {name for name in package if name.startswith(("numpy", "pillow"))}

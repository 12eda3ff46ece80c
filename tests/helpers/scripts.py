"""Scripts and notebooks that belong to no package: of the documentation, the benchmarks and the examples."""

import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType

ROOT = Path(__file__).parents[2]


def load_script(place: str) -> ModuleType:
    """Run a script, but not what it does when it is called by name.

    Args:
        place: its path, beginning at the root of the repository.
    """
    path = ROOT / place
    specification = importlib.util.spec_from_file_location(f"script_{path.stem}", path)
    module = importlib.util.module_from_spec(specification)
    # As a script finds those beside it.
    sys.path.insert(0, str(path.parent))
    try:
        specification.loader.exec_module(module)
    finally:
        sys.path.remove(str(path.parent))
    return module


def code_cells(path: Path) -> list[str]:
    """The code of a notebook, a cell each."""
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    return ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]

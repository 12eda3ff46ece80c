"""Scripts that belong to no package, as modules: of the documentation, the benchmarks and the examples."""

import importlib.util
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

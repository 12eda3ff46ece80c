"""The golden files of the codec, each beside the model that made it."""

import json
import re
from pathlib import Path
from typing import Any

GOLDEN = Path(__file__).parents[1] / "codec" / "golden"


def model_of(file: str) -> str:
    """The name of the model of a golden file; files of versions 3 to 5 stand beside those of versions 1 and 2."""
    return re.sub(r"-[345]$", "", file)


def pixels_of(file: str) -> Any:
    """The pixels of a golden file's images: its own where it has some, else those of all files of its model."""
    path = GOLDEN / f"{file}.json"
    return json.loads((path if path.exists() else GOLDEN / f"{model_of(file)}.json").read_text())

"""The golden files of the codec, each beside the model that made it."""

import re
from pathlib import Path

GOLDEN = Path(__file__).parents[1] / "codec" / "golden"


def model_of(file: str) -> str:
    """The name of the model of a golden file; files of versions 3 and 4 stand beside those of versions 1 and 2."""
    return re.sub(r"-[34]$", "", file)

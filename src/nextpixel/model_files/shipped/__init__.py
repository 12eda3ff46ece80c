"""The models that come with the package, each a model folder beside this file. No PyTorch here.

`nextpixel/NAME` names one wherever a run or model folder is asked for. A folder of that path that really exists comes
first, as a path comes before the name of a data set. `hf:USER/NAME` names one on the Hugging Face hub.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from nextpixel.errors import ModelError
from nextpixel.model_files.hub import fetch, is_hub_name

PREFIX = "nextpixel"
HERE = Path(__file__).parent


def shipped() -> list[str]:
    """The names of the models that come with the package, such as `nextpixel/digits-gated`, in alphabetical order."""
    return sorted(f"{PREFIX}/{path.parent.name}" for path in HERE.glob("*/config.json"))


def find_model(run: str | Path) -> Path:
    """The folder that a user means: the one of this path, or one of the hub or in the package if there is none.

    Raises:
        ModelError: it has the form of a name in the package or of one on the hub, and is neither there nor here.
    """
    try:
        path = Path(run)
    except TypeError as error:
        raise ModelError(f"the name of a model or of its folder is needed, not {run!r}") from error
    if is_hub_name(path):
        return fetch(path.as_posix())
    if len(path.parts) != 2 or path.parts[0] != PREFIX:
        return path
    try:
        if path.exists():
            return path
    except (OSError, ValueError):
        return path
    if path.as_posix() not in shipped():
        raise ModelError(
            f"{path.as_posix()} is neither a folder nor a model that comes with nextpixel; "
            f"those are {', '.join(shipped()) or 'none'}"
        )
    return HERE / path.name


def read_config(name: str) -> dict[str, Any]:
    """What `config.json` of a shipped model says, without loading the model.

    Raises:
        ModelError: there is no such model.
    """
    config: dict[str, Any] = json.loads((find_model(name) / "config.json").read_text(encoding="utf-8"))
    return config

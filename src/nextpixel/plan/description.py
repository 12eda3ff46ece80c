"""What the description of a model, the entry `model` of its `config.json`, must be before anything is computed with it.

No PyTorch here. Whether the options are those of the family, and the weights those of the options, is seen later.
"""

from __future__ import annotations

from typing import Any

from nextpixel.errors import ModelError
from nextpixel.runtime.validation import MOST_SIDE, integer


def check_description(description: dict[str, Any], path: object) -> None:
    """Refuse a description whose parts are of other types than are written, or whose sizes no model has.

    A text or a list in the place of a number would be multiplied.

    Args:
        description: the entry.
        path: of the file that holds it, for the error.

    Raises:
        ModelError: naming the part.
    """
    shape, options = description.get("image_shape"), description.get("options")
    if not isinstance(description.get("family"), str):
        raise ModelError(f"{path} does not describe a model: its family is no text")
    if not (isinstance(shape, list) and len(shape) == 3 and all(type(side) is int for side in shape)):
        raise ModelError(f"{path} does not describe a model: its image_shape is no list of three integers")
    if type(description.get("levels")) is not int:
        raise ModelError(f"{path} does not describe a model: its levels are no integer")
    if not isinstance(options, dict):
        raise ModelError(f"{path} does not describe a model: its options are no object")
    for name, value in options.items():
        if not (value is None or isinstance(value, bool | float | str) or (type(value) is int and abs(value) < 2**63)):
            raise ModelError(f"{path} does not describe a model: its option {name[:80]!r} is no single value")
    for name in ("layers", "scales", "features"):
        if not isinstance(options.get(name, 1), int):
            raise ModelError(f"{path} does not describe a model: its {name} are no integer")
    try:
        integer("levels", description["levels"], 2, 256)
        for name, side, most in zip(("channels", "height", "width"), shape, (4, MOST_SIDE, MOST_SIDE), strict=True):
            integer(f"the {name} in image_shape", side, 1, most)
    except ModelError as error:
        raise ModelError(f"{path} does not describe a model: {error}") from error

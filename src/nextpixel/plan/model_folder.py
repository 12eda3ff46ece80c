"""Reading a model folder without PyTorch: `config.json` and `model.safetensors`.

safetensors is a length of 8 bytes, a header in JSON with type, shape and place of each tensor, and the tensors' bytes.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nextpixel.errors import ModelError
from nextpixel.plan.description import check_description
from nextpixel.plan.stored_model import Array, StoredModel

MODEL_FILES = CONFIG, WEIGHTS = "config.json", "model.safetensors"
FORMAT = 1
TYPES = {
    "F16": ("float16", "<f2"),
    "BF16": ("bfloat16", "<u2"),
    "F32": ("float32", "<f4"),
    "F64": ("float64", "<f8"),
}
"""The types of weights: their names, and how NumPy reads their bytes."""


def read_model(config: bytes, weights: bytes) -> StoredModel:
    """A model.

    Args:
        config: the bytes of `config.json`.
        weights: the bytes of `model.safetensors`.

    Raises:
        ModelError: they are damaged, do not belong together, or are of a newer version.
    """
    try:
        description = json.loads(config)
        if description["format"] != FORMAT:
            raise ModelError(
                f"{CONFIG} has format {description['format']!r}, this version reads {FORMAT}; upgrade nextpixel"
            )
        model: dict[str, Any] = description["model"]
        size = int.from_bytes(weights[:8], "little")
        header: dict[str, Any] = json.loads(weights[8 : 8 + size])
        expected = header.pop("__metadata__", {}).get("sha256")
        digest = hashlib.sha256(json.dumps(model, sort_keys=True).encode())
        check_description(model, CONFIG)
        data = memoryview(weights)[8 + size :]
        _check_places([(start, end) for start, end in (entry["data_offsets"] for entry in header.values())], len(data))
        tensors = {name: _read_tensor(name, header[name], data, digest) for name in sorted(header)}
    except (KeyError, TypeError, ValueError, AttributeError, IndexError, RecursionError, OverflowError) as error:
        raise ModelError(f"{CONFIG} or {WEIGHTS} is damaged ({error}); copy the model's folder again") from error
    if expected != digest.hexdigest():
        raise ModelError(f"{WEIGHTS} does not match its checksum together with {CONFIG}; copy the model's folder again")
    return StoredModel(model, tensors)


def _check_places(places: Sequence[tuple[int, int]], size: int) -> None:
    """Check that tensors lie one after the other: if several were the same bytes, a short file would hold any number.

    Args:
        places: where each begins and ends.
        size: bytes of all.

    Raises:
        ValueError: they do not.
    """
    ends = [0, *(end for _, end in sorted(places))]
    if any(start != before or end < start for (start, end), before in zip(sorted(places), ends, strict=False)):
        raise ValueError("its tensors do not lie one after the other")
    if ends[-1] != size:
        raise ValueError("it is longer or shorter than its tensors")


def _read_tensor(name: str, entry: dict[str, Any], data: memoryview, digest: Any) -> Array:
    """A tensor; halves as float32, in which they are computed with."""
    kind, dtype = TYPES[entry["dtype"]]
    shape = [int(side) for side in entry["shape"]]
    start, end = entry["data_offsets"]
    values: NDArray[Any] = np.frombuffer(data[start:end], dtype)
    if math.prod(shape) != len(values) or start < 0:
        raise ValueError(f"{name} has another size than its shape says")
    digest.update(f"{name} torch.{kind} {shape}".encode())
    digest.update(data[start:end])
    if kind == "bfloat16":
        values = (values.astype(np.uint32) << 16).view(np.float32)
    elif kind == "float16":
        values = values.astype(np.float32)
    array: Array = values.reshape(shape).astype(values.dtype.newbyteorder("="), copy=False)
    return array

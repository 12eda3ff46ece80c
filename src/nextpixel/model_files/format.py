"""The format of model folders: `config.json`, `model.safetensors` and the model card `README.md`.

Neither JSON nor safetensors notices a flipped bit, so the metadata of `model.safetensors` holds a SHA-256 over the
description of the model and all its weights. It lies there and not in `config.json` because one file is replaced
atomically and two are not: whatever moment a writer is killed at, the weights fit their digest.

Weights may be stored in half precision, which `config.json` says as `storage`. They are computed with in float32.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from typing import Protocol

import torch
from torch import Tensor, nn

from nextpixel.model_files.record import TrainingRecord
from nextpixel.nn.conditions import Specification, to_json

FORMAT = 1
STORAGES = {
    "float16": torch.float16,
    "bfloat16": torch.bfloat16,
    "float32": torch.float32,
    "float64": torch.float64,
}


class WritableModel(Protocol):
    """What of a model is written into a folder; `nextpixel.families.base.ImageModel` says more of it."""

    @property
    def family(self) -> str:
        """Name of the family."""

    image_shape: tuple[int, int, int]
    levels: int
    condition: Specification | None
    record: TrainingRecord

    @property
    def options(self) -> Mapping[str, object]:
        """The options of its family."""

    def parameters(self) -> Iterator[nn.Parameter]:
        """The weights."""

    def state_dict(self) -> dict[str, Tensor]:
        """The weights and buffers by name."""


def storage_name(dtype: torch.dtype) -> str:
    """The name of a type of weights, one of `STORAGES`."""
    return str(dtype).removeprefix("torch.")


def describe(model: WritableModel) -> dict[str, object]:
    """What `build` needs to make an untrained model like this one; JSON-compatible."""
    return {
        "family": model.family,
        "image_shape": list(model.image_shape),
        "levels": model.levels,
        "condition": to_json(model.condition),
        "options": model.options,
    }


def fingerprint(description: dict[str, object], tensors: dict[str, Tensor]) -> str:
    """SHA-256, in hexadecimal, of a model's description and weights."""
    digest = hashlib.sha256(json.dumps(description, sort_keys=True).encode())
    for name in sorted(tensors):
        tensor = tensors[name].detach().cpu().contiguous()
        digest.update(f"{name} {tensor.dtype} {list(tensor.shape)}".encode())
        digest.update(tensor.flatten().view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()

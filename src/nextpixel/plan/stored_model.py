"""A trained model as what is stored of it: its description and its weights, as arrays."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nextpixel.errors import ModelError

Array = NDArray[np.float32 | np.float64]

TURNED, INSIDE = "turned", "inner."
"""The family of models that begin at another side, and what stands before the weights of the model inside."""


@dataclass(frozen=True)
class StoredModel:
    """A model.

    Attributes:
        description: the entry `model` of `config.json`.
        weights: by name, float32 or float64.
    """

    description: dict[str, Any]
    weights: Mapping[str, Array]

    @property
    def family(self) -> str:
        """Name of the family."""
        return str(self.description["family"])

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """`(C, H, W)` of the model's own images."""
        channels, height, width = self.description["image_shape"]
        return int(channels), int(height), int(width)

    @property
    def side(self) -> str:
        """The side of an image at which the model begins: the top, but of a turned one."""
        return str(self.option("order")) if self.family == TURNED else "top"

    @property
    def upright(self) -> StoredModel:
        """The model inside a turned one, which begins at the top of turned images; another model itself.

        Raises:
            ModelError: a turned model has a condition, which the one inside takes in another form.
        """
        if self.family != TURNED:
            return self
        if self.description.get("condition") is not None:
            raise ModelError("a model that begins at another side compresses without a condition only")
        channels, height, width = self.image_shape
        size = [height, width] if self.side in ("top", "bottom") else [width, height]
        inside = {"family": self.option("inner"), "image_shape": [channels, *size], "condition": None}
        weights = {
            name.removeprefix(INSIDE): weight for name, weight in self.weights.items() if name.startswith(INSIDE)
        }
        return StoredModel(self.description | inside, weights)

    @property
    def levels(self) -> int:
        """Values that a sub-pixel can take."""
        return int(self.description["levels"])

    @property
    def classes(self) -> int:
        """Number of classes, where it is conditioned on labels; 0 without a condition.

        Raises:
            ModelError: it has a condition of another kind.
        """
        condition = self.description.get("condition")
        if condition is None:
            return 0
        if not isinstance(condition, dict) or condition.get("kind") != "Labels":
            raise ModelError(
                "only models without a condition or with labels can compress: vectors and maps are not exact"
            )
        return int(condition["count"])

    def option(self, name: str) -> Any:
        """An option of the family.

        Raises:
            ModelError: the description lacks it.
        """
        try:
            return self.description["options"][name]
        except (KeyError, TypeError) as error:
            raise ModelError(f"the description of the model has no option {name}; copy its folder again") from error

    def doubles(self, name: str) -> NDArray[np.float64]:
        """A weight.

        Raises:
            ModelError: there is none of that name.
        """
        try:
            return self.weights[name].astype(np.float64)
        except KeyError as error:
            raise ModelError(f"the model has no weight {name}; copy its folder again") from error

    @cached_property
    def fingerprint(self) -> bytes:
        """SHA-256 of the description and all weights."""
        digest = hashlib.sha256(json.dumps(self.description, sort_keys=True).encode())
        for name in sorted(self.weights):
            weight = np.ascontiguousarray(self.weights[name])
            digest.update(f"{name} torch.{weight.dtype} {list(weight.shape)}".encode())
            digest.update(weight.astype(weight.dtype.newbyteorder("<"), copy=False).tobytes())
        return digest.digest()

"""A trained model as what is stored of it: its description and its weights, as arrays."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from nextpixel.errors import ModelError

Array = NDArray[np.float32 | np.float64]

TURNED, MULTISCALE = "turned", "multiscale"
"""The families that are made of models of others."""

MOST_SCALES = 8


class Network(NamedTuple):
    """A model that is computed as it stands.

    Attributes:
        model: of a family that is not made of others.
        stride: every so many rows and columns of an image are its images.
        enlargement: the network of it that makes maps of the next smaller image; None without.
    """

    model: StoredModel
    stride: int = 1
    enlargement: str | None = None


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
    def networks(self) -> tuple[Network, ...]:
        """The models that are computed: those inside one that is made of others, or the model itself.

        Of a multi-scale one they are in order from the smallest image to the whole; of a turned one it takes turned
        images.

        Raises:
            ModelError: the description does not say what they are.
        """
        channels, height, width = self.image_shape
        if self.family == TURNED:
            size = (height, width) if self.side in ("top", "bottom") else (width, height)
            return (Network(self._inside("inner.", (channels, *size))),)
        if self.family != MULTISCALE:
            return (Network(self),)
        factor, scales = self.integer("factor"), self.integer("scales")
        if factor < 2 or not 2 <= scales <= MOST_SCALES:
            raise ModelError(f"the model has {scales} scales with a factor of {factor}; copy its folder again")
        strides = [factor**scale for scale in reversed(range(scales))]
        return tuple(
            Network(
                self._inside(f"models.{scale}.", (channels, -(-height // stride), -(-width // stride))),
                stride,
                "conditioning.upsampling.smaller" if scale else None,
            )
            for scale, stride in enumerate(strides)
        )

    def _inside(self, prefix: str, image_shape: tuple[int, int, int]) -> StoredModel:
        """A model inside this one, with its labels.

        Args:
            prefix: before the names of its weights.
            image_shape: of its images.
        """
        weights = {
            name.removeprefix(prefix): weight for name, weight in self.weights.items() if name.startswith(prefix)
        }
        if self.classes:
            # Inside, a class is a vector, with a number of this size at its place.
            size = math.sqrt(self.classes)
            weights |= {
                name: weight.astype(np.float64) * size
                for name, weight in weights.items()
                if name.endswith("condition.vector")
            }
        inside = {"family": self.option("inner"), "image_shape": list(image_shape)}
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
                "only models without a condition or with labels can compress: a file holds no vectors and no maps"
            )
        count = condition.get("count")
        # Of what is not stored a few bytes could say anything.
        widths = {weight.shape[-1] for name, weight in self.weights.items() if name.endswith("condition.vector")}
        if type(count) is not int or count < 1 or not widths <= {count}:
            raise ModelError(f"the weights of the model are not those of {count!r} classes; copy its folder again")
        return count

    def option(self, name: str) -> Any:
        """An option of the family.

        Raises:
            ModelError: the description lacks it.
        """
        try:
            return self.description["options"][name]
        except (KeyError, TypeError) as error:
            raise ModelError(f"the description of the model has no option {name}; copy its folder again") from error

    def integer(self, name: str) -> int:
        """An option of the family that is a whole number.

        Raises:
            ModelError: it is none, or the description lacks it.
        """
        value = self.option(name)
        if type(value) is not int:
            raise ModelError(f"the option {name} of the model is no whole number; copy its folder again")
        return value

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

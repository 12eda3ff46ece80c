"""The fields of a request, checked one by one; what is wrong becomes a sentence for the person at the page."""

from __future__ import annotations

import base64
import binascii
import json
import math

import numpy as np
import torch
from torch import Tensor

from nextpixel.errors import InputError


class Fields:
    """The JSON object of a request.

    Args:
        body: its bytes.

    Raises:
        InputError: they are no JSON object.
    """

    def __init__(self, body: bytes) -> None:
        try:
            entries = json.loads(body)
        except (ValueError, RecursionError):
            entries = None
        if not isinstance(entries, dict):
            raise InputError("the request must be a JSON object")
        self.entries: dict[str, object] = entries

    def integer(self, name: str, least: int, most: int, default: int | None = None) -> int:
        """A whole number in range."""
        value = self.entries.get(name, default)
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            raise InputError(f"{name} must be a whole number from {least} to {most}")
        return value

    def number(self, name: str, least: float, most: float, default: float) -> float:
        """A number in range."""
        value = self.entries.get(name, default)
        if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value <= most:
            raise InputError(f"{name} must be a number from {least:g} to {most:g}")
        return float(value)

    def text(self, name: str) -> str | None:
        """A short text, or None where it is left out."""
        value = self.entries.get(name)
        if value is not None and (not isinstance(value, str) or len(value) > 1000):
            raise InputError(f"{name} must be a short text")
        return value

    def bytes_of(self, name: str, shape: tuple[int, ...], most: int) -> Tensor:
        """Bytes in base64, as a tensor of a shape; each is `most` at most."""
        value = self.entries.get(name)
        try:
            data = base64.b64decode(value, validate=True) if isinstance(value, str) else b""
        except (binascii.Error, ValueError):
            data = b""
        if len(data) != math.prod(shape):
            raise InputError(f"{name} must be {' x '.join(map(str, shape))} bytes in base64")
        array = np.frombuffer(data, np.uint8)
        if array.max() > most:
            raise InputError(f"{name} must hold values from 0 to {most}")
        return torch.from_numpy(array.reshape(shape).copy())


def packed(values: Tensor) -> str:
    """Bytes or 32-bit floats in base64, little endian, in rows."""
    array = values.cpu().numpy()
    return base64.b64encode(array.astype("<f4" if array.dtype.kind == "f" else np.uint8).tobytes()).decode()

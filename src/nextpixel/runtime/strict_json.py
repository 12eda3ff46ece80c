"""JSON as its standard has it, for other programs to read: it knows no NaN and no infinity."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping


def as_json(record: Mapping[str, object]) -> str:
    """A record as JSON, where null stands for NaN and infinity."""
    return json.dumps(_finite(record), allow_nan=False)


def _finite(value: object) -> object:
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, Mapping):
        return {name: _finite(part) for name, part in value.items()}
    return [_finite(part) for part in value] if isinstance(value, list | tuple) else value

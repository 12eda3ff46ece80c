"""Half precision, and the float32 that some sums need instead."""

from __future__ import annotations

import torch
from torch import Tensor


def widened(maps: Tensor) -> Tensor:
    """The maps in float32 if they are in half precision, else as they are."""
    return maps.float() if maps.dtype in (torch.bfloat16, torch.float16) else maps

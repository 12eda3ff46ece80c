"""Simple likelihoods and code lengths to hold a model's against, in bits/dim of the same images."""

from __future__ import annotations

import io
import math
from typing import Literal

import torch
from torch import Tensor

from nextpixel.pictures.grid import sheet


def independent_sub_pixels(train: Tensor, test: Tensor, levels: int) -> float:
    """Bits/dim of `test` when every sub-pixel is drawn by itself, from its own histogram over `train`.

    Each count starts at one (Laplace), so that no level is impossible.

    Args:
        train: integers `[N, C, H, W]` in 0..levels-1.
        test: likewise, of the same `C, H, W`.
        levels: number of levels.
    """
    counts = torch.stack([(train == level).sum(dim=0) for level in range(levels)]).double() + 1
    logs = (counts / counts.sum(dim=0)).log()
    nats = -logs.gather(0, test.long()).mean()
    return float(nats) / math.log(2)


def sheet_bits_per_dim(images: Tensor, form: Literal["PNG", "WebP"]) -> float:
    """Bits/dim of a lossless picture file that holds all images side by side, its header included.

    One sheet is kinder to a file format than one file an image. The levels are written as they are, not spread over
    0..255, which is kinder still.

    Args:
        images: uint8 `[N, C, H, W]`.
        form: picture format, at its best effort.
    """
    buffer = io.BytesIO()
    sheet(images).save(buffer, format=form, optimize=True, lossless=True, quality=100, method=6)
    return len(buffer.getvalue()) * 8 / images.numel()

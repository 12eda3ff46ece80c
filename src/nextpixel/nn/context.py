"""What an architecture lets a sub-pixel see, written as distances (for `promised_context`)."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor


def raster_context(
    image_shape: tuple[int, int, int], beside: int, above: Callable[[int], tuple[int, int] | None]
) -> Tensor:
    """Which sub-pixels see which, for models in raster order with the colours innermost.

    At its own pixel a sub-pixel sees the earlier colours; elsewhere it sees all colours of the pixels in reach.

    Args:
        image_shape: `(C, H, W)`.
        beside: columns to the left that are seen in the current row.
        above: for the row u >= 1 rows up, how many columns to the left and how many to the right of the current one
            are seen, with a negative number where the nearest ones are not; None where nothing of the row is seen.

    Returns:
        Bool `[C*H*W, C*H*W]`: entry (t, s) is True where t sees s.
    """
    channels, height, width = image_shape
    column = torch.arange(width)
    left = column[:, None] - column
    pixels = torch.zeros(height, width, height, width, dtype=torch.bool)
    for up in range(height):
        reach = (beside, -1) if up == 0 else above(up)
        if reach is not None:
            seen = (left <= reach[0]) & (-left <= reach[1])
            pixels[torch.arange(up, height), :, torch.arange(height - up)] = seen
    at_once = pixels.view(height * width, height * width)
    earlier_colour = torch.ones(channels, channels, dtype=torch.bool).tril(-1)
    same_pixel = torch.eye(height * width, dtype=torch.bool)
    context = at_once[None, :, None, :] | (earlier_colour[:, None, :, None] & same_pixel[None, :, None, :])
    return context.flatten(2).flatten(0, 1)

"""How sharp images are, to compare reconstructions with originals."""

from __future__ import annotations

from torch import Tensor


def gradient_energy(images: Tensor, levels: int) -> float:
    """Mean squared difference of neighbouring pixels, across and down, with levels scaled to [0, 1].

    Args:
        images: `[N, C, H, W]` in 0..levels-1, integers or not.
        levels: number of levels.
    """
    scaled = images.double() / (levels - 1)
    differences = [scaled.diff(dim=axis).flatten() for axis in (2, 3)]
    count = sum(difference.numel() for difference in differences)
    return sum(float((difference**2).sum()) for difference in differences) / max(1, count)

"""The codes of a set of images."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from nextpixel.batches import batches
from nextpixel.models.autoencoder import Autoencoder
from nextpixel.modes import evaluating
from nextpixel.scoring.likelihood import batch_size_for

if TYPE_CHECKING:
    from nextpixel.data import ImageSet


@torch.no_grad()
def codes(model: Autoencoder, images: ImageSet | Tensor, *, advance: Callable[[int], None] | None = None) -> Tensor:
    """The codes that an autoencoder gives to images, in evaluation mode.

    Args:
        model: the autoencoder.
        images: a set, or integers `[N, C, H, W]`.
        advance: called with the number of images after each batch.

    Returns:
        float32 `[N, code_size]`, on the CPU.

    Raises:
        InputError: the images do not fit the model.
    """
    if not isinstance(images, Tensor):
        model.check_set(images)
    found = []
    with evaluating(model):
        for part in batches(len(images), batch_size_for(model)):
            found.append(model.encode(images[part]).float().cpu())
            if advance is not None:
                advance(part.stop - part.start)
    return torch.cat(found)

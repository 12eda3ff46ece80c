"""The codes of a set of images."""

from __future__ import annotations

import torch
from torch import Tensor

from nextpixel.data.pictures import Pictures
from nextpixel.errors import InputError, ModelError
from nextpixel.families.autoencoder import Autoencoder
from nextpixel.families.base import check_model
from nextpixel.runtime.batching import batches
from nextpixel.runtime.precision import evaluating
from nextpixel.runtime.progress import Advance
from nextpixel.scoring.images import Images, as_images
from nextpixel.scoring.likelihood import batch_size_for


@torch.no_grad()
def codes(model: Autoencoder, images: Images, *, advance: Advance | None = None) -> Tensor:
    """The codes that an autoencoder gives to images, in evaluation mode.

    Args:
        model: the autoencoder.
        images: a set, or integers `[N, C, H, W]` as a tensor or an array.
        advance: called with the number of images after each batch.

    Returns:
        float32 `[N, code_size]`, on the CPU.

    Raises:
        ModelError: the model is no autoencoder.
        InputError: the images do not fit the model.
    """
    check_model(model)
    if not isinstance(getattr(model, "_orig_mod", model), Autoencoder):
        raise ModelError(f"only an autoencoder has codes, not a {model.family}")
    images = as_images(images)
    if isinstance(images, Pictures):
        raise InputError("codes are of images of one size; open them with nextpixel.open_images")
    if not isinstance(images, Tensor):
        model.check_set(images)
    parts = []
    with evaluating(model):
        for part in batches(len(images), batch_size_for(model)):
            parts.append(model.encode(images[part]).float().cpu())
            if advance is not None:
                advance(part.stop - part.start)
    return torch.cat(parts)

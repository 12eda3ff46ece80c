"""The walk over an image in the order of generation, which sampling and completing share.

At each sub-pixel, in the order of ranks, the value is taken from the image where it is known, else drawn from the
model's distribution given everything before. Each step here is one parallel pass of the network.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor

from nextpixel.batches import batches
from nextpixel.errors import ModelError
from nextpixel.nn.distributions import draw

if TYPE_CHECKING:
    from nextpixel.models.base import ImageModel
    from nextpixel.nn.conditioning import Context

IMAGES_AT_ONCE = 64


class Walk(NamedTuple):
    """The result of a walk.

    Attributes:
        images: uint8 `[B, C, H, W]`.
        log_prob_map: nats of the drawn sub-pixels under the model (at temperature 1), `[B, C, H, W]`; 0 where known.
    """

    images: Tensor
    log_prob_map: Tensor


@torch.no_grad()
def walk(
    model: ImageModel,
    images: Tensor,
    known: Tensor,
    condition: dict[str, Tensor],
    *,
    temperature: float = 1.0,
    generator: torch.Generator | None = None,
    advance: Callable[[int], None] | None = None,
) -> Walk:
    """Draw the unknown sub-pixels of `images`, in evaluation mode.

    Args:
        model: the model.
        images: integers `[B, C, H, W]` on the model's device.
        known: bool `[B, C, H, W]`.
        condition: values of the model's conditions by name, each `[B, ...]` on the model's device.
        temperature: divides the logits; 0 takes the most probable level.
        generator: CPU generator of the draws.
        advance: called with a number of sub-pixels done, which add up to B*C*H*W.

    Raises:
        ModelError: the model's probabilities are not numbers.
    """
    # All numbers are drawn beforehand, image by image, so that an image does not depend on how many are drawn with it.
    uniforms = torch.rand(images.shape, generator=generator, dtype=torch.float64).to(images.device)
    images = images.to(torch.uint8, copy=True)
    nats = torch.zeros(images.shape, device=images.device)
    training = model.training
    model.eval()
    try:
        for part in batches(len(images), IMAGES_AT_ONCE):
            context = model._context({name: values[part] for name, values in condition.items()})
            _walk_batch(model, images[part], nats[part], known[part], context, uniforms[part], temperature, advance)
    finally:
        model.train(training)
    if not nats.isfinite().all():
        raise ModelError("the model gives probabilities that are not numbers; its weights have diverged: train it anew")
    return Walk(images, nats)


def _walk_batch(
    model: ImageModel,
    images: Tensor,
    nats: Tensor,
    known: Tensor,
    context: Context | None,
    uniforms: Tensor,
    temperature: float,
    advance: Callable[[int], None] | None,
) -> None:
    """Fill in `images` and `nats`."""
    _, height, width = model.image_shape
    for site in model.order.flatten().argsort().tolist():
        at = (slice(None), site // (height * width), site // width % height, site % width)
        given = known[at]
        if not given.all():
            logits = model.head.logits(model._predict(images, context))[:, :, *at[1:]]
            drawn = draw(logits, uniforms[at], temperature)
            chosen = logits.log_softmax(dim=1).gather(1, drawn[:, None])[:, 0].to(nats.dtype)
            nats[at] = torch.where(given, 0, chosen)
            images[at] = torch.where(given, images[at], drawn.to(torch.uint8))
        if advance is not None:
            advance(len(images))

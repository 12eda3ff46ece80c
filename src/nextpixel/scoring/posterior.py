"""The class of an image by Bayes' rule, from a model that is conditioned on labels.

    p(y | x) = p(y) p(x | y) / p(x)        p(x) = sum over y of p(y) p(x | y)

Every class is as likely as any other before the image is seen. The likelihood p(x) needs one pass a class. The same
sum, over the sub-pixels so far, predicts the next one from what they tell about the class:

    p(x_t | x_<t) = p(x_<=t) / p(x_<t)

so that a map of these adds up to p(x) exactly.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor

from nextpixel.data import ImageSet
from nextpixel.errors import ModelError
from nextpixel.families.base import check_model
from nextpixel.families.set_condition import conditioned
from nextpixel.nn.conditions import Labels, Values
from nextpixel.scoring.images import Images, as_images
from nextpixel.scoring.likelihood import Batch, batches_of, numbers

if TYPE_CHECKING:
    from nextpixel.families.base import ImageModel


class Posterior(NamedTuple):
    """What a model of classes says of images without knowing their class.

    Attributes:
        log_probs: float64 `[B, classes]`, log p(y | x).
        map: float64 `[B, C, H, W]`, log p(x_t | x_<t) in nats.
    """

    log_probs: Tensor
    map: Tensor


def batches_to_score(model: ImageModel, images: Images, condition: Values | None = None) -> list[Batch]:
    """The images of a set as `batches_of` gives them, whose class may be unknown.

    Args:
        model: the model.
        images: a set, or integers `[N, C, H, W]` as a tensor or an array.
        condition: one an image or one for all. None takes those attached to the set; if there are none, a model of
            labels is given none, and any other conditional model the set's own.

    Raises:
        InputError: the images do not fit the model.
    """
    check_model(model)
    images = as_images(images)
    unknown = isinstance(model.condition, Labels) and condition is None and getattr(images, "condition", None) is None
    if not unknown and condition is None and isinstance(images, ImageSet):
        images = conditioned(images, model.condition if model.needs_condition else None)
    return batches_of(model, images, condition, with_condition=not unknown)


@torch.no_grad()
def posterior(model: ImageModel, images: Tensor) -> Posterior:
    """The classes of images, and their likelihood whatever their class.

    Args:
        model: a model conditioned on labels.
        images: integers `[B, C, H, W]`.

    Raises:
        ModelError: the model has another condition, or none.
        InputError: the images do not fit the model.
    """
    if not isinstance(model.condition, Labels):
        raise ModelError("only a model that is conditioned on labels tells the class of an image; train one with them")
    maps = [
        numbers(model.log_prob_map(images, torch.tensor(label)).double().cpu())
        for label in range(model.condition.count)
    ]
    order = model.order.flatten().argsort().cpu()
    # [classes, B, sub-pixels in the order of generation]
    so_far = torch.stack(maps).flatten(2)[..., order].cumsum(dim=2) - math.log(len(maps))
    total = so_far.logsumexp(dim=0)
    before = torch.nn.functional.pad(total[:, :-1], (1, 0))
    steps = torch.empty_like(total)
    steps[:, order] = total - before
    return Posterior((so_far[..., -1] - total[:, -1]).T, steps.view(images.shape))

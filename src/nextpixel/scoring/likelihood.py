"""The likelihood of a set of images: every image counted once, in exact units."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor

from nextpixel.data import ImageSet
from nextpixel.data.pictures import Pictures
from nextpixel.errors import InputError, ModelError
from nextpixel.families.base import check_model
from nextpixel.families.set_condition import conditioned
from nextpixel.generation.walk import NO_PROBABILITIES
from nextpixel.model_files.likelihood import Likelihood
from nextpixel.nn.conditions import Values, checked_values
from nextpixel.runtime.batching import divided
from nextpixel.runtime.distributed import current
from nextpixel.runtime.precision import evaluating
from nextpixel.runtime.progress import Advance
from nextpixel.runtime.validation import integer
from nextpixel.scoring.images import Images, as_images

if TYPE_CHECKING:
    from nextpixel.families.base import ImageModel

LOGITS_IN_A_BATCH = 2**24


def batch_size_for(model: ImageModel) -> int:
    """How many images to put through the model at once, so that the logits take some 64 MB."""
    return max(1, min(256, LOGITS_IN_A_BATCH // (model.levels * math.prod(model.image_shape))))


@torch.no_grad()
def log_probs(
    model: ImageModel,
    images: Images,
    condition: Values | None = None,
    *,
    batch_size: int | None = None,
    orders: int = 1,
    advance: Advance | None = None,
) -> Tensor:
    """Log-probability of every image in nats, in evaluation mode.

    Args:
        model: the model.
        images: a set, or integers `[N, C, H, W]` as a tensor or an array; for models of any size also `Pictures`.
        condition: one an image, for a conditional model; None takes those of the set.
        batch_size: images at once; None chooses by memory.
        orders: of a model of any order: of how many orders of its training, from the first, the mean of the
            probabilities is taken.
        advance: called with the number of images after each batch.

    Returns:
        float64 `[N]`, on the CPU.

    Raises:
        InputError: there are no images, or they do not fit the model.
        ModelError: the weights of the model are not finite numbers.
    """
    check_finite(model)
    images = as_images(images)
    if condition is None and isinstance(images, ImageSet):
        images = conditioned(images, model.condition if model.needs_condition else None)
    unread = batches_of(model, images, condition, batch_size=batch_size)
    if integer("orders", orders, 1, error=InputError) > model.order_count:
        trained = "one order" if model.order_count == 1 else f"{model.order_count} orders"
        raise InputError(
            f"this model was trained in {trained}, not in {orders}; train a locally-masked with orders={orders} "
            f"(--model locally-masked --orders {orders})"
        )
    results = []
    with evaluating(model):
        models = [model.in_order(number) for number in range(orders)]

        def nats_of(batch: Batch) -> Tensor:
            images, values = batch.read()
            nats = torch.stack([ordered.log_prob(images, values).double() for ordered in models])
            return numbers((nats.logsumexp(dim=0) - math.log(orders)).cpu())

        for nats in current().each(unread, nats_of):
            results.append(nats)
            if advance is not None:
                advance(len(nats))
    return torch.cat(results)


def check_pictures(model: ImageModel, pictures: Pictures) -> None:
    """Refuse pictures that a model cannot take as they are.

    Raises:
        InputError: with the remedy.
    """
    if not model.any_size or model.needs_condition:
        raise InputError(
            f"this model takes images of {' x '.join(map(str, model.image_shape))} only, and {pictures.name} has "
            "pictures of any sizes; open them with --resize (resize= in open_images), or train a local-pixelcnn"
        )
    if (pictures.channels, pictures.levels) != (model.image_shape[0], model.levels):
        raise InputError(
            f"{pictures.name} has pictures of {pictures.channels} channels with {pictures.levels} levels, this model "
            f"takes {model.image_shape[0]} with {model.levels}; convert them with --mode, --drop-alpha or --levels"
        )


def check_finite(model: ImageModel) -> None:
    """Refuse what is no model, and a model that gives no image a probability.

    Raises:
        InputError: it is no model.
        ModelError: its weights are not finite numbers.
    """
    check_model(model)
    if not all(bool(weight.isfinite().all()) for weight in model.parameters()):
        raise ModelError("the weights of the model are not finite numbers, so it has diverged; train it anew")


def numbers(log_probs: Tensor) -> Tensor:
    """Log-probabilities as they are.

    Raises:
        ModelError: some are not numbers, as those of weights that are finite and far too large.
    """
    if log_probs.isnan().any():
        raise ModelError(NO_PROBABILITIES)
    return log_probs


class Batch(NamedTuple):
    """Some images of a set, which are read when they are needed.

    Attributes:
        images: the set.
        values: the conditions of all its images by name, or None.
        part: which images.
    """

    images: ImageSet | Pictures | Tensor
    values: dict[str, Tensor] | None
    part: slice

    def read(self) -> tuple[Tensor, dict[str, Tensor] | None]:
        """The images `[B, C, H, W]`, and their conditions."""
        if isinstance(self.images, Pictures):
            return self.images[self.part.start][None], None
        values = None if self.values is None else {name: values[self.part] for name, values in self.values.items()}
        return self.images[self.part], values


def batches_of(
    model: ImageModel,
    images: Images,
    condition: Values | None = None,
    *,
    batch_size: int | None = None,
    with_condition: bool = True,
) -> list[Batch]:
    """The images of a set, each once, as many at a time as go through a model together, with their conditions.

    Args:
        model: the model.
        images: a set, or integers `[N, C, H, W]` as a tensor or an array.
        condition: one an image or one for all; None takes those that are attached to the set.
        batch_size: images at once; None chooses by memory.
        with_condition: whether a model that needs a condition is to be given one.

    Raises:
        InputError: there are no images, or they do not fit the model.
    """
    if batch_size is not None:
        batch_size = integer("batch_size", batch_size, 1, error=InputError)
    images = as_images(images)
    if isinstance(images, Tensor) and images.ndim != 4:
        raise InputError(f"images must be integers [N, C, H, W], not {list(images.shape)}")
    if len(images) == 0:
        raise InputError("there are no images to evaluate")
    if isinstance(images, Pictures):
        check_pictures(model, images)
        if condition is not None:
            raise InputError("pictures of any sizes have no conditions")
        return [Batch(images, None, slice(place, place + 1)) for place in range(len(images))]
    if not isinstance(images, Tensor):
        model.check_set(images, with_condition=with_condition and condition is None)
        condition = images.condition if condition is None else condition
    values = None if condition is None else checked_values(model.condition, condition, len(images))
    parts = divided(len(images), batch_size or batch_size_for(model), current().count)
    return [Batch(images, values, part) for part in parts]


def evaluate(
    model: ImageModel,
    images: Images,
    condition: Values | None = None,
    *,
    batch_size: int | None = None,
    orders: int = 1,
    advance: Advance | None = None,
) -> Likelihood:
    """Mean likelihood over all images of a set; that of pictures of different sizes is averaged by sub-pixel.

    The arguments and errors are those of `log_probs`.
    """
    nats = -log_probs(model, images, condition, batch_size=batch_size, orders=orders, advance=advance)
    return Likelihood.of(nats, dimensions_of(model, images))


def dimensions_of(model: ImageModel, images: Images) -> int | Tensor:
    """Sub-pixels of an image, or int64 `[N]` of each picture."""
    if isinstance(images, Pictures):
        sub_pixels = images.sub_pixels
        return torch.from_numpy(sub_pixels) if (sub_pixels != sub_pixels[0]).any() else int(sub_pixels[0])
    return math.prod(images.shape[1:]) if isinstance(images, Tensor) else math.prod(model.image_shape)

"""The integer twin of a trained model, computed the same on every machine.

`fixed_point` makes it from the model's weights and from the ranges of its activations, which `calibrate` measures once,
on the encoder's side, and which travel with the data: the decoder builds the same integers from both. Ranges are powers
of two; an activation beyond its range is clamped, which costs some bits and never correctness.

Gated PixelCNN and PixelCNN have twins, without a condition or conditioned on labels.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor

from nextpixel.codec.gated_twin import GatedTwin
from nextpixel.codec.integers import LEAST_WEIGHT_BITS, MOST_RANGE_BITS, NARROW_LIMIT, WIDE_LIMIT
from nextpixel.codec.pixelcnn_twin import PixelCNNTwin
from nextpixel.codec.twin import Twin
from nextpixel.errors import ModelError
from nextpixel.families.base import ImageModel
from nextpixel.families.raster_model import RasterModel
from nextpixel.nn.distributions import Categorical
from nextpixel.runtime.batching import batches
from nextpixel.runtime.precision import evaluating

TWINS = {"gated-pixelcnn": GatedTwin, "pixelcnn": PixelCNNTwin}

PIXELS_AT_ONCE = 2**16
"""Of the images that ranges are measured on."""

MOST_PARTS_OF_A_ROW = 2**20
"""Modules of a model times width of its images: what a walk through a row keeps for each costs memory."""


def twin_class(model: ImageModel) -> tuple[type[Twin[RasterModel]], RasterModel]:
    """The class of a model's integer twin, and the model, as one that the twin takes.

    Raises:
        ModelError: it has none, with the families that have; or the model is not what a twin of its family computes.
    """
    if model.family not in TWINS:
        remedy = "without --order" if model.family == "turned" else "instead"
        raise ModelError(
            f"models of the family {model.family} cannot compress: train a gated-pixelcnn or a pixelcnn {remedy}"
        )
    if not isinstance(model.distribution, Categorical):
        raise ModelError(
            f"a {model.family} compresses with the softmax head only; train one with --head softmax, or a "
            "local-pixelcnn, which compresses with a logistic mixture"
        )
    # What follows holds the model to the class that this twin takes.
    kind = cast("type[Twin[RasterModel]]", TWINS[model.family])
    assert isinstance(model, RasterModel)
    kind.check(model)
    if len(list(model.modules())) * model.image_shape[2] > MOST_PARTS_OF_A_ROW:
        raise ModelError(
            f"a model of images {model.image_shape[2]} wide with so many layers takes too much memory to compress: "
            "train one of smaller images; larger pictures are cut into tiles"
        )
    return kind, model


@torch.no_grad()
def fixed_point(model: ImageModel, ranges: Sequence[int], *, wide_head: bool = True) -> Twin[RasterModel]:
    """The integer twin of a model.

    Args:
        model: a Gated PixelCNN or a PixelCNN, without a condition or conditioned on labels.
        ranges: what `calibrate` measured.
        wide_head: whether float64 always carries the head. Its sums are the largest of a network, so that float32
            leaves some weights of a trained one only 4 bits, which costs up to 9 %. False for files of version 1.

    Raises:
        ModelError: the model has no twin, the ranges are not this model's, or its weights are not finite.
    """
    kind, raster = twin_class(model)
    if not all(bool(weight.isfinite().all()) for weight in model.parameters()):
        raise ModelError("the weights of the model are not finite numbers; train it anew")
    if len(ranges) != kind.activations(raster) or not all(0 <= bits <= MOST_RANGE_BITS for bits in ranges):
        raise ModelError("the ranges of the activations do not fit the model")
    twin = kind(raster, ranges, NARROW_LIMIT, WIDE_LIMIT if wide_head else NARROW_LIMIT)
    # Weights of a few bits only would cost too much; float64 has room for more.
    if twin.least_bits < LEAST_WEIGHT_BITS:
        twin = kind(raster, ranges, WIDE_LIMIT, WIDE_LIMIT)
    if twin.least_bits < 0:
        raise ModelError("the weights of the model are too large to compress with; it has diverged: train it anew")
    return twin


@torch.no_grad()
def calibrate(model: ImageModel, images: Tensor, labels: Tensor | None = None) -> list[int]:
    """Measure the ranges of a model's activations.

    Args:
        model: see `fixed_point`.
        images: integers `[N, C, H, W]` such as will be compressed, a few dozen, of any size.
        labels: `[N]`, for a conditional model.

    Returns:
        Bits of their integer parts.

    Raises:
        ModelError: the model has no twin, or its activations are not finite.
    """
    kind, raster = twin_class(model)
    context = model.context_of({} if labels is None else {"labels": labels.to(model.device)})
    largest = [0.0] * kind.activations(raster)
    with evaluating(model):
        for part in batches(len(images), max(1, PIXELS_AT_ONCE // (images.shape[2] * images.shape[3]))):
            part_context = None if context is None else context.part(part)
            sizes = kind.measure(raster, model.normalised(images[part].to(model.device)), part_context)
            largest = list(map(max, largest, sizes))
    if not all(map(math.isfinite, largest)):
        raise ModelError("the activations of the model are not finite numbers; it has diverged: train it anew")
    bits = [math.ceil(math.log2(max(size * 1.25, 1e-9))) for size in largest]
    return [min(max(size, 0), MOST_RANGE_BITS) for size in bits]

"""A trained model in integers, which every machine computes the same.

`fixed_point` makes the program (`nextpixel.plan`) from the model's weights and the ranges of its activations, which
`calibrate` measures once, on the encoder's side, and which travel with the data: the decoder builds the same integers
from both. Ranges are powers of two; an activation beyond its range is clamped, which costs some bits and never
correctness.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from nextpixel.codec.tiles import Pixels, Tile, labels_of, stacked
from nextpixel.engines.enlargement import enlarged
from nextpixel.engines.exact import exact_engine
from nextpixel.engines.layout import Layout, lay_out
from nextpixel.errors import ModelError
from nextpixel.families.base import ImageModel
from nextpixel.families.multiscale import Multiscale
from nextpixel.families.oriented import Oriented
from nextpixel.families.raster_model import RasterModel
from nextpixel.model_files.stored import stored_model
from nextpixel.nn.conditions import Labels
from nextpixel.nn.distributions import Categorical
from nextpixel.plan.integers import MOST_RANGE_BITS, ONE, check_exact_products
from nextpixel.plan.lowering.families import LOWERINGS, lower, lower_roomy
from nextpixel.plan.operations import Program
from nextpixel.plan.turning import turned
from nextpixel.runtime.batching import batches

PIXELS_AT_ONCE = 2**16
"""Of the images that ranges are measured on."""

CALIBRATION_TILES, CALIBRATION_SIDE = 64, 256

MOST_PARTS_OF_A_ROW = 2**20
"""Modules of a model times width of its images: what a walk through a row keeps for each costs memory."""

RANGE_MARGIN = 1.25


def check_lowers(model: ImageModel) -> ImageModel:
    """A model that has integers.

    Raises:
        ModelError: it has none, with the families that have; or it is not what the integers of its family compute.
    """
    networks = [model]
    if isinstance(model, Oriented | Multiscale):
        model.check_arithmetic()
        networks = [model.inner] if isinstance(model, Oriented) else list(model.models)
    for network in networks:
        if network.family not in LOWERINGS:
            raise ModelError(
                f"models of the family {network.family} cannot compress; train a {', '.join(LOWERINGS)} or "
                "local-pixelcnn instead"
            )
        _check_head(network)
    if model.condition is not None and not isinstance(model.condition, Labels):
        raise ModelError(
            "only models without a condition or with labels can compress: a file holds no vectors and no maps"
        )
    for network in networks:
        _check_layers(network)
    return model


def _check_head(model: ImageModel) -> None:
    """Refuse a network of other distributions than the softmax.

    Raises:
        ModelError: it is one.
    """
    if not isinstance(model.distribution, Categorical):
        raise ModelError(
            f"a {model.family} compresses with the softmax head only; train one with --head softmax, or a "
            "local-pixelcnn, which compresses with a logistic mixture"
        )
    if type(model.distribution) is not Categorical:
        raise ModelError(
            f"a model of {type(model.distribution).__name__} distributions cannot compress: the integers know the "
            "softmax alone; train a model with that head"
        )


def _check_layers(model: ImageModel) -> None:
    """Refuse a network that is not what the integers of its family compute.

    Raises:
        ModelError: it is one, or too wide.
    """
    assert isinstance(model, RasterModel)
    for name in model.arithmetic:
        if model.depth(name) < model.depth("lower"):
            described = type(model).__mro__[model.depth("lower") - 1].__name__
            raise ModelError(
                f"{type(model).__name__} overrides {name}, so the integers of a {described} are not its own; compress "
                "with a model that does not"
            )
    model.check_layers("integers")
    if not model.lowers_head():
        raise ModelError(
            "the head has another nonlinearity than the integers know; compress with a model of nextpixel's own layers"
        )
    if len(list(model.modules())) * model.image_shape[2] > MOST_PARTS_OF_A_ROW:
        raise ModelError(
            f"a model of images {model.image_shape[2]} wide with so many layers takes too much memory to compress: "
            "train one of smaller images; larger pictures are cut into tiles"
        )


def fixed_point(model: ImageModel, ranges: Sequence[int], *, wide_head: bool = True) -> Program:
    """The integers of a model.

    Args:
        model: one that `check_lowers` takes, on the CPU.
        ranges: what `calibrate` measured.
        wide_head: see `lower`.

    Raises:
        ModelError: the model has no integers, the ranges are not this model's, or its weights are not finite.
    """
    check_lowers(model)
    return lower(stored_model(model), ranges, wide_head=wide_head)


def calibrate(model: ImageModel, images: Tensor, labels: Tensor | None = None) -> list[int]:
    """Measure the ranges of a model's activations, in a program in which none reaches its bound.

    Args:
        model: one that `check_lowers` takes, on the CPU.
        images: integers `[N, C, H, W]` such as will be compressed, a few dozen, of any size.
        labels: `[N]`, for a conditional model.

    Returns:
        Bits of their integer parts.

    Raises:
        ModelError: the model has no integers, or its weights are not finite.
    """
    check_lowers(model)
    program, measured = lower_roomy(stored_model(model))
    layout = lay_out(program)
    pixels, classes = turned(images.numpy(), program.side), None if labels is None else labels.numpy()
    _, _, height, width = pixels.shape
    largest = [np.zeros(len(names)) for names in measured]
    check_exact_products(layout.dtypes)
    for part in batches(len(pixels), max(1, PIXELS_AT_ONCE // (height * width))):
        some = None if classes is None else classes[part]
        smaller: Pixels | None = None
        for number, (scale, names) in enumerate(zip(layout.scales, measured, strict=True)):
            stride = scale.program.stride
            seen = pixels[part, :, ::stride, ::stride]
            largest[number] = np.maximum(largest[number], _largest(scale, names, seen, smaller, some))
            smaller = seen
    together = np.concatenate(largest).tolist()
    bits = [math.ceil(math.log2(max(value * RANGE_MARGIN / ONE, 1e-9))) for value in together]
    return [min(max(number, 0), MOST_RANGE_BITS) for number in bits]


def _largest(
    layout: Layout,
    names: Sequence[str],
    images: Pixels,
    smaller: Pixels | None,
    labels: NDArray[np.int64] | None,
) -> NDArray[np.float64]:
    """The largest absolute integers of the layers of an enlargement, and of maps, that have names."""
    count, _, height, width = images.shape
    made = None
    if smaller is not None and layout.program.smaller is not None:
        made = enlarged(layout.program.smaller, smaller, (height, width))
    before = [] if made is None else made.largest
    largest = np.zeros(len(names) - len(before))
    engine = exact_engine(layout, count, width, labels, whole_rows=True)
    for row in range(height):
        engine.start_row(row, None if made is None else made.places[row])
        engine.whole_row(images[:, :, row])
        largest = np.maximum(largest, engine.largest(names[len(before) :]))
    return np.concatenate([before, largest])


def ranges_of(
    model: ImageModel, pictures: Sequence[Pixels], tiles: Sequence[Tile], labels: NDArray[np.int64] | None
) -> list[int]:
    """The ranges of the activations, measured on some of the largest tiles, evenly spaced."""
    if not tiles:
        return calibrate(
            model,
            torch.zeros(1, model.image_shape[0], 1, 1, dtype=torch.uint8),
            None if labels is None else torch.zeros(1, dtype=torch.int64),
        )
    size = max((tile.height, tile.width) for tile in tiles)
    largest = [tile for tile in tiles if (tile.height, tile.width) == size]
    some = largest[:: -(-len(largest) // CALIBRATION_TILES)]
    corners = torch.from_numpy(stacked(pictures, some))[:, :, :CALIBRATION_SIDE, :CALIBRATION_SIDE]
    classes = labels_of(labels, some)
    return calibrate(model, corners, None if classes is None else torch.from_numpy(classes))

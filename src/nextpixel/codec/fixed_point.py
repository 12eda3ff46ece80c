"""A trained model in integers, which every machine computes the same.

`fixed_point` makes the program (`nextpixel.plan`) from the model's weights and the ranges of its activations, which
`calibrate` measures once, on the encoder's side, and which travel with the data: the decoder builds the same integers
from both. Ranges are powers of two; an activation beyond its range is clamped, which costs some bits and never
correctness.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple, cast

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from nextpixel.codec.tiles import Pixels, Tile, labels_of, stacked
from nextpixel.errors import ModelError
from nextpixel.families.base import ImageModel
from nextpixel.families.gated_pixelcnn import GatedPixelCNN
from nextpixel.families.pixelcnn import PixelCNN
from nextpixel.families.pixelrnn import DiagonalBiLSTMModel, RowLSTMModel
from nextpixel.families.raster_model import RasterModel
from nextpixel.families.residual_network import ResidualNetwork, check_frame
from nextpixel.model_files.stored import stored_model
from nextpixel.nn.conditioning import Context
from nextpixel.nn.conditions import Labels
from nextpixel.nn.convolutions import Convolutions
from nextpixel.nn.diagonal_lstm import DiagonalBiLSTM
from nextpixel.nn.distributions import Categorical
from nextpixel.nn.head import Head
from nextpixel.nn.row_lstm import RowLSTM
from nextpixel.nn.steps.gated_stepper import check_stacks
from nextpixel.plan.integers import MOST_RANGE_BITS
from nextpixel.plan.lowering.families import lower
from nextpixel.plan.operations import Program
from nextpixel.runtime.batching import batches
from nextpixel.runtime.precision import evaluating

PIXELS_AT_ONCE = 2**16
"""Of the images that ranges are measured on."""

CALIBRATION_TILES, CALIBRATION_SIDE = 64, 256

MOST_PARTS_OF_A_ROW = 2**20
"""Modules of a model times width of its images: what a walk through a row keeps for each costs memory."""

RANGE_MARGIN = 1.25

Maps = Iterator[Tensor]
"""The activations whose ranges are needed, in the order of the program's ranges."""


class Measured(NamedTuple):
    """How the activations of a family are looked at.

    Attributes:
        family: the class of models.
        core: the layer inside its blocks; None without blocks.
        activation: the nonlinearity of its head.
        activations: those of a model, given images in [-1, 1] and what the layers see of the conditions.
    """

    family: type[RasterModel]
    core: type[nn.Module] | None
    activation: Callable[[Tensor], Tensor]
    activations: Callable[[Any, Tensor, Context | None], Maps]


def _of_gated(model: GatedPixelCNN, inputs: Tensor, context: Context | None) -> Maps:
    vertical = horizontal = model.image_maps(inputs)
    skips: Tensor | None = None
    for layer in model.layers:
        pre = layer.vertical(vertical)
        if layer.vertical_condition is not None and context is not None:
            pre = layer.vertical_condition(pre, context)
        vertical, horizontal, skip = layer(vertical, horizontal, context)
        yield from (pre, horizontal)
        if skip is not None:
            skips = skip if skips is None else skips + skip
    yield from _of_head(model.readout, horizontal if skips is None else skips)


def _of_convolutions(core: Convolutions, maps: Tensor, context: Context | None) -> Maps:
    yield core.narrow(core.activation(maps))
    yield core(maps, context)


def _of_residual(model: ResidualNetwork[Any], inputs: Tensor, context: Context | None) -> Maps:
    maps = model.first(model.image_maps(inputs))
    skips: Tensor | None = None
    yield maps
    for block in model.blocks:
        if isinstance(block.core, Convolutions):
            yield from _of_convolutions(block.core, maps, context)
        maps, skip = block(maps, context)
        yield maps
        if skip is not None:
            skips = skip if skips is None else skips + skip
    yield from _of_head(model.readout, maps if skips is None else skips)


def _of_head(readout: Head, maps: Tensor) -> Maps:
    yield maps
    yield readout.hidden(readout.activation(maps))


MEASURED = {
    "gated-pixelcnn": Measured(GatedPixelCNN, None, F.elu, _of_gated),
    "pixelcnn": Measured(PixelCNN, Convolutions, F.relu, _of_residual),
    "row-lstm": Measured(RowLSTMModel, RowLSTM, F.relu, _of_residual),
    "diagonal-bilstm": Measured(DiagonalBiLSTMModel, DiagonalBiLSTM, F.relu, _of_residual),
}


def check_lowers(model: ImageModel) -> RasterModel:
    """A model that has integers.

    Raises:
        ModelError: it has none, with the families that have; or it is not what the integers of its family compute.
    """
    if model.family not in MEASURED:
        remedy = "without --order" if model.family == "turned" else "instead"
        raise ModelError(
            f"models of the family {model.family} cannot compress; train a {', '.join(MEASURED)} or local-pixelcnn "
            f"{remedy}"
        )
    if not isinstance(model.distribution, Categorical):
        raise ModelError(
            f"a {model.family} compresses with the softmax head only; train one with --head softmax, or a "
            "local-pixelcnn, which compresses with a logistic mixture"
        )
    if model.condition is not None and not isinstance(model.condition, Labels):
        raise ModelError("only models without a condition or with labels can compress: vectors and maps are not exact")
    measured = MEASURED[model.family]
    if type(model.distribution) is not Categorical:
        raise ModelError(
            f"a model of {type(model.distribution).__name__} distributions cannot compress: the integers know the "
            "softmax alone; train a model with that head"
        )
    for name in model.arithmetic:
        if name in vars(model) or getattr(type(model), name) is not getattr(measured.family, name):
            raise ModelError(
                f"{type(model).__name__} overrides {name}, so the integers of a {measured.family.__name__} are not its "
                "own; compress with a model that does not"
            )
    assert isinstance(model, RasterModel)
    if measured.core is None:
        gated = cast("GatedPixelCNN", model)
        check_stacks(gated.layers, gated.image_maps, gated.readout, "integers")
    else:
        check_frame(cast("ResidualNetwork[Any]", model), measured.core, "integers")
    assert isinstance(model.readout, Head)
    if model.readout.activation is not measured.activation:
        raise ModelError(
            f"the head has another nonlinearity than {measured.activation.__name__}, which alone the integers know; "
            "compress with a model of nextpixel's own layers"
        )
    if len(list(model.modules())) * model.image_shape[2] > MOST_PARTS_OF_A_ROW:
        raise ModelError(
            f"a model of images {model.image_shape[2]} wide with so many layers takes too much memory to compress: "
            "train one of smaller images; larger pictures are cut into tiles"
        )
    return model


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


@torch.no_grad()
def calibrate(model: ImageModel, images: Tensor, labels: Tensor | None = None) -> list[int]:
    """Measure the ranges of a model's activations.

    Args:
        model: one that `check_lowers` takes.
        images: integers `[N, C, H, W]` such as will be compressed, a few dozen, of any size.
        labels: `[N]`, for a conditional model.

    Returns:
        Bits of their integer parts.

    Raises:
        ModelError: the model has no integers, or its activations are not finite.
    """
    raster = check_lowers(model)
    activations = MEASURED[model.family].activations
    context = model.context_of({} if labels is None else {"labels": labels.to(model.device)})
    largest: list[float] = []
    with evaluating(model):
        for part in batches(len(images), max(1, PIXELS_AT_ONCE // (images.shape[2] * images.shape[3]))):
            part_context = None if context is None else context.part(part)
            inputs = model.normalised(images[part].to(model.device))
            here = [float(maps.abs().max()) for maps in activations(raster, inputs, part_context)]
            largest = list(map(max, largest, here)) if largest else here
    if not all(map(math.isfinite, largest)):
        raise ModelError("the activations of the model are not finite numbers; it has diverged: train it anew")
    bits = [math.ceil(math.log2(max(value * RANGE_MARGIN, 1e-9))) for value in largest]
    return [min(max(number, 0), MOST_RANGE_BITS) for number in bits]


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

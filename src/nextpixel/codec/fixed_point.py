"""The integer twin of a trained model, computed the same on every machine.

`fixed_point` makes it from the model's weights and from the ranges of its activations, which `calibrate` measures once,
on the encoder's side, and which travel with the data: the decoder builds the same integers from both. Ranges are powers
of two; an activation beyond its range is clamped, which costs some bits and never correctness.

Gated PixelCNN and PixelCNN have twins, without a condition or conditioned on labels.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from nextpixel.codec.integers import LEAST_WEIGHT_BITS, NARROW_LIMIT, ONE, WIDE_LIMIT, Part, Sum, integer_sum
from nextpixel.errors import ModelError
from nextpixel.families.base import ImageModel
from nextpixel.nn.conditioning import ConditionBias, Context
from nextpixel.nn.conditions import Labels
from nextpixel.nn.level_embedding import LevelEmbedding
from nextpixel.nn.steps.feature_row import FeatureRow
from nextpixel.runtime.batching import batches
from nextpixel.runtime.precision import evaluating

MOST_RANGE_BITS = 12
PIXELS_AT_ONCE = 2**16
"""Of the images that ranges are measured on."""

MOST_PARTS_OF_A_ROW = 2**20
"""Modules of a model times width of its images: what a walk through a row keeps for each costs memory."""


class IntegerStepper(ABC):
    """A twin in the middle of a batch of images, row by row.

    A row is gone through either whole, where its values are known, or sub-pixel by sub-pixel; the bits are the same.

    Args:
        image: the current row of the images' maps.
        table: what stands for each level there; see `LevelEmbedding.integers`.
    """

    def __init__(self, image: FeatureRow, table: Tensor) -> None:
        self.image, self.table = image, table.to(image.buffer)

    @abstractmethod
    def start_row(self, row: int) -> None:
        """Do the work of a row, all values of the rows above being known; row 0 begins new images."""

    def whole_row(self, values: Tensor) -> Tensor:
        """Go through a row of known values, integers `[B, C, W]`; the logits, integers `[W, B, C, levels]`."""
        self.image.places.copy_(self.table[values.long().transpose(1, 2)].flatten(2))
        return self._whole_row()

    @abstractmethod
    def _whole_row(self) -> Tensor:
        """The logits of the row that `image` holds."""

    @abstractmethod
    def predict(self, column: int, colour: int) -> Tensor:
        """Go on to a sub-pixel; its logits, integers `[B, levels]`."""

    def tell(self, column: int, colour: int, values: Tensor) -> None:
        """Give the value of the sub-pixel, integers `[B]`."""
        self.image.own[column][colour].copy_(self.table[values.long()])


class Twin(ABC):
    """An integer network.

    Args:
        model: the model.
        ranges: bits of the integer part of each activation that `ranges_of` measures, in its order.
        limit: below which every possible sum stays.

    Attributes:
        levels: values that a sub-pixel can take.
        image_shape: `(C, H, W)` of the model's own images; the twin takes any height and width.
        image_groups: colour groups of the image's maps.
        image_table: what stands for each level there; see `LevelEmbedding.integers`.
        image_steps: how many steps of it make 1.
        image_largest: the largest absolute integer in it.
        images_at_once: how many go through the twin together.
        least_bits: the smallest number of fraction bits that any weight has.
    """

    def __init__(self, model: Any, ranges: Sequence[int], limit: float) -> None:
        self.levels, self.image_shape, self.limit = model.levels, model.image_shape, limit
        maps: LevelEmbedding = model.image_maps
        self.image_groups, self.image_table, self.image_steps = maps.groups, maps.integers(), maps.steps
        self.image_largest = int(self.image_table.abs().max())
        self.images_at_once: int = model.images_at_once
        self.classes = _classes(model)
        self.least_bits = 64
        self.largest = [ONE << bits for bits in ranges]

    def sum(self, parts: Sequence[Part], bias: Tensor, condition: ConditionBias | None = None) -> Sum:
        """A sum of the twin, with what a label adds to its bias."""
        biases = bias.double()[None].expand(max(1, self.classes), -1)
        if condition is not None:
            assert condition.vector is not None
            biases = biases + condition.vector.double().T
        found = integer_sum(parts, biases, self.limit)
        self.least_bits = min(self.least_bits, int(found.bits.min()))
        return found

    @staticmethod
    @abstractmethod
    def activations(model: Any) -> int:
        """How many ranges the twin of a model needs."""

    @staticmethod
    @abstractmethod
    def measure(model: Any, inputs: Tensor, context: Context | None) -> list[float]:
        """The largest absolute value of each activation of a model."""

    def stepper(
        self, batch: int, width: int, labels: Tensor | None, dtype: torch.dtype | None = None
    ) -> IntegerStepper:
        """The twin at the beginning of a batch of images of any width.

        Args:
            batch: number of images.
            width: of the images.
            labels: `[B]`, for a conditional model.
            dtype: the carrier; None for the narrowest that is exact.
        """
        like = torch.zeros(1, dtype=dtype or self.carrier)
        return self._stepper(batch, width, torch.zeros(batch, dtype=torch.int64) if labels is None else labels, like)

    @abstractmethod
    def _stepper(self, batch: int, width: int, labels: Tensor, like: Tensor) -> IntegerStepper:
        """The same, with labels, and with a tensor of the carrier's dtype and device."""

    @property
    def carrier(self) -> torch.dtype:
        """The narrowest dtype that carries the twin exactly."""
        return torch.float32 if self.limit <= NARROW_LIMIT else torch.float64


def _classes(model: ImageModel) -> int:
    """Number of classes of a conditional model, 0 without a condition.

    Raises:
        ModelError: the model has a condition of another kind.
    """
    if model.condition is None:
        return 0
    if not isinstance(model.condition, Labels):
        raise ModelError("only models without a condition or with labels can compress: vectors and maps are not exact")
    return model.condition.count


def twin_class(model: ImageModel) -> type[Twin]:
    """The class of a model's integer twin.

    Raises:
        ModelError: it has none; with the families that have.
    """
    from nextpixel.codec.gated_twin import GatedTwin
    from nextpixel.codec.pixelcnn_twin import PixelCNNTwin

    twins: dict[str, type[Twin]] = {"gated-pixelcnn": GatedTwin, "pixelcnn": PixelCNNTwin}
    if model.family not in twins:
        remedy = "without --order" if model.family == "turned" else "instead"
        raise ModelError(
            f"models of the family {model.family} cannot compress: train a gated-pixelcnn or a pixelcnn {remedy}"
        )
    _classes(model)
    if len(list(model.modules())) * model.image_shape[2] > MOST_PARTS_OF_A_ROW:
        raise ModelError(
            f"a model of images {model.image_shape[2]} wide with so many layers takes too much memory to compress: "
            "train one of smaller images; larger pictures are cut into tiles"
        )
    return twins[model.family]


@torch.no_grad()
def fixed_point(model: ImageModel, ranges: Sequence[int]) -> Twin:
    """The integer twin of a model.

    Args:
        model: a Gated PixelCNN or a PixelCNN, without a condition or conditioned on labels.
        ranges: what `calibrate` measured.

    Raises:
        ModelError: the model has no twin, the ranges are not this model's, or its weights are not finite.
    """
    kind = twin_class(model)
    if not all(bool(weight.isfinite().all()) for weight in model.parameters()):
        raise ModelError("the weights of the model are not finite numbers; train it anew")
    if len(ranges) != kind.activations(model) or not all(0 <= bits <= MOST_RANGE_BITS for bits in ranges):
        raise ModelError("the ranges of the activations do not fit the model")
    twin = kind(model, ranges, NARROW_LIMIT)
    # Weights of a few bits only would cost too much; float64 has room for more.
    if twin.least_bits < LEAST_WEIGHT_BITS:
        twin = kind(model, ranges, WIDE_LIMIT)
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
    kind = twin_class(model)
    context = model._context({} if labels is None else {"labels": labels.to(model.device)})
    largest = [0.0] * kind.activations(model)
    with evaluating(model):
        for part in batches(len(images), max(1, PIXELS_AT_ONCE // (images.shape[2] * images.shape[3]))):
            own = None if context is None else context.part(part)
            found = kind.measure(model, model.normalised(images[part].to(model.device)), own)
            largest = list(map(max, largest, found))
    if not all(map(math.isfinite, largest)):
        raise ModelError("the activations of the model are not finite numbers; it has diverged: train it anew")
    bits = [math.ceil(math.log2(max(each * 1.25, 1e-9))) for each in largest]
    return [min(max(each, 0), MOST_RANGE_BITS) for each in bits]

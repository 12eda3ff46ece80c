"""What the integer twins of all families have in common: the networks, and their steppers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar, Generic, TypeVar

import torch
from torch import Tensor

from nextpixel.codec.integers import NARROW_LIMIT, ONE, Part, Sum, integer_sum
from nextpixel.errors import ModelError
from nextpixel.families.base import ImageModel
from nextpixel.families.raster_model import RasterModel
from nextpixel.nn.conditioning import ConditionBias, Context
from nextpixel.nn.conditions import Labels
from nextpixel.nn.distributions import Categorical
from nextpixel.nn.steps.feature_row import FeatureRow

Model = TypeVar("Model", bound=RasterModel)


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


class Twin(ABC, Generic[Model]):
    """An integer network.

    Args:
        model: the model.
        ranges: bits of the integer part of each activation that `ranges_of` measures, in its order.
        limit: below which every possible sum stays.
        head_limit: likewise, of the sums of the head.

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

    family: ClassVar[type[RasterModel]]
    """The class of models of which it is the twin."""

    def __init__(self, model: Model, ranges: Sequence[int], limit: float, head_limit: float) -> None:
        self.levels, self.image_shape = model.levels, model.image_shape
        self.limit, self.head_limit = limit, head_limit
        maps = model.image_maps
        self.image_groups, self.image_table, self.image_steps = maps.groups, maps.integers(), maps.steps
        self.image_largest = int(self.image_table.abs().max())
        self.images_at_once: int = model.images_at_once
        self.classes = classes_of(model)
        self.least_bits = 64
        self.largest = [ONE << bits for bits in ranges]

    def head_sum(self, part: Part, bias: Tensor) -> Sum:
        """A sum of the twin's head."""
        total = integer_sum([part], bias.double()[None].expand(max(1, self.classes), -1), self.head_limit)
        self.least_bits = min(self.least_bits, int(total.bits.min()))
        return total

    def sum(self, parts: Sequence[Part], bias: Tensor, condition: ConditionBias | None = None) -> Sum:
        """A sum of the twin, with what a label adds to its bias."""
        biases = bias.double()[None].expand(max(1, self.classes), -1)
        if condition is not None:
            assert condition.vector is not None
            biases = biases + condition.vector.double().T
        layer = integer_sum(parts, biases, self.limit)
        self.least_bits = min(self.least_bits, int(layer.bits.min()))
        return layer

    @classmethod
    def check(cls, model: Model) -> None:
        """Refuse a model of which the twin would not be one.

        Raises:
            ModelError: a condition, the distribution, a layer or a method of the model is not what the integers know.
        """
        classes_of(model)
        if type(model.distribution) is not Categorical:
            raise ModelError(
                f"a model of {type(model.distribution).__name__} distributions cannot compress: the integers know the "
                "softmax alone; train a model with that head"
            )
        for name in model.arithmetic:
            if name in vars(model) or getattr(type(model), name) is not getattr(cls.family, name):
                raise ModelError(
                    f"{type(model).__name__} overrides {name}, so the integers of a {cls.family.__name__} are not its "
                    "own; compress with a model that does not"
                )
        cls._check_layers(model)

    @staticmethod
    @abstractmethod
    def _check_layers(model: Model) -> None:
        """Refuse a model with other layers than the integers know."""

    @staticmethod
    @abstractmethod
    def activations(model: Model) -> int:
        """How many ranges the twin of a model needs."""

    @staticmethod
    @abstractmethod
    def measure(model: Model, inputs: Tensor, context: Context | None) -> list[float]:
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
        """The narrowest dtype that carries the twin without its head exactly."""
        return _carrier(self.limit)

    @property
    def head_carrier(self) -> torch.dtype:
        """The narrowest dtype that carries its head exactly."""
        return _carrier(self.head_limit)


def _carrier(limit: float) -> torch.dtype:
    return torch.float32 if limit <= NARROW_LIMIT else torch.float64


def classes_of(model: ImageModel) -> int:
    """Number of classes of a conditional model, 0 without a condition.

    Raises:
        ModelError: the model has a condition of another kind.
    """
    if model.condition is None:
        return 0
    if not isinstance(model.condition, Labels):
        raise ModelError("only models without a condition or with labels can compress: vectors and maps are not exact")
    return model.condition.count

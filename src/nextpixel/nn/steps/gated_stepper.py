"""The two gated stacks and the head step by step."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from nextpixel.nn.conditioning import Context
from nextpixel.nn.gated import GatedLayer
from nextpixel.nn.head import Head
from nextpixel.nn.layers import Layers, check_exact
from nextpixel.nn.level_embedding import LevelEmbedding
from nextpixel.nn.steps.feature_row import FeatureRow
from nextpixel.nn.steps.gated import GatedStep
from nextpixel.nn.steps.head import HeadStep
from nextpixel.nn.steps.stepper import Stepper


class GatedStepper(Stepper):
    """A Gated PixelCNN in the middle of a batch.

    Args:
        layers: the gated layers.
        maps: how the image enters the first of them.
        readout: the head.
        width: of the images.
        batch: B.
        context: of the conditions, or None.

    Raises:
        ModelError: a layer is not what the steps compute.
    """

    repeats = True

    def __init__(
        self,
        layers: Layers[GatedLayer],
        maps: LevelEmbedding,
        readout: Head,
        width: int,
        batch: int,
        context: Context | None,
    ) -> None:
        stacks = check_stacks(layers, maps, readout, "steps")
        like = readout.hidden.weight
        groups = stacks[0].features
        reaches = [layer.horizontal.mask.shape[3] - 1 for layer in stacks]
        super().__init__(FeatureRow(like, batch, width, maps.groups, reaches[0]), maps, HeadStep(readout, batch))
        rows = [self.image, *(FeatureRow(like, batch, width, groups, reach) for reach in (*reaches[1:], 0))]
        # The gated features of all layers, each after a one: the skips are then one product.
        gated = like.new_zeros(batch, len(stacks), 1 + groups.channels)
        gated[:, :, 0] = 1
        self.layers = [
            GatedStep(layer, rows[index], rows[index + 1] if layer.goes_on else None, gated[:, index], context)
            for index, layer in enumerate(stacks)
        ]
        self.gated = gated.flatten(1)
        self.skips = _skips(stacks) if stacks[0].skip else None
        self.last = rows[-1]

    def start_row(self, row: int) -> None:
        """See `Stepper`."""
        finished = self.image.places.transpose(0, 1) if row else None
        for layer in self.layers:
            finished = layer.start_row(row, finished)

    def compute(self, column: int, colour: int) -> Tensor:
        """See `Stepper`."""
        for layer in self.layers:
            layer.step(column, colour)
        return self.last.own[column][colour] if self.skips is None else torch.mm(self.gated, self.skips[colour])

    def known_row(self, values: Tensor) -> None:
        """See `Stepper`."""
        # The vertical stack, which is all that goes on to the rows below, sees nothing but the image.
        self.fill(values)


def check_stacks(layers: Layers[GatedLayer], maps: LevelEmbedding, readout: Head, computation: str) -> list[GatedLayer]:
    """The layers of a model, if they are those that another computation knows, and so are both its ends.

    Args:
        layers: the gated layers.
        maps: how the image enters the first of them.
        readout: the head.
        computation: see `check_exact`.

    Raises:
        ModelError: they are not.
    """
    check_exact([("image_maps", maps)], LevelEmbedding, computation)
    check_exact([(f"layers.{n}", layer) for n, layer in enumerate(layers)], GatedLayer, computation)
    check_exact([("readout", readout)], Head, computation)
    return list(layers)


def _skips(layers: Sequence[GatedLayer]) -> list[Tensor]:
    """For each colour the matrix from the gated features of all layers, each after a one, to the sum of the skips.

    Features of later colours, which the buffer still holds from the pixel before, meet the zeros of the mask.
    """
    groups = layers[0].features
    matrices = []
    for layer in layers:
        weight, bias = layer.out.visible_weight[-groups.channels :], layer.out.bias[-groups.channels :]
        matrices.append(torch.cat([bias[None], -weight[:, :, 0, 0].T]))
    matrix = torch.cat(matrices)
    return [matrix[:, members].contiguous() for members in groups.members]

"""What finished rows give to a whole row at once.

Here maps of a row are `[W, B, channels]`: the places beside a place are then a slice, and a convolution is a sum of
matrix products of slices, without unfolding anything.
"""

from __future__ import annotations

from collections import deque

import torch
from torch import Tensor

from nextpixel.nn.conditioning import ConditionBias, Context


class RowsAbove:
    """A convolution over the last rows of a map, unmasked.

    Args:
        weight: `[outputs, inputs, rows, taps]`, the taps centred.
        batch: B.
        width: W.
    """

    def __init__(self, weight: Tensor, batch: int, width: int) -> None:
        _, self.inputs, rows, taps = weight.shape
        self.width, self.reach = width, taps // 2
        # Row by row from the top, tap by tap from the left, [inputs, outputs] each.
        self.matrices = weight.permute(2, 3, 1, 0).contiguous()
        shape = (width + 2 * self.reach, batch, self.inputs)
        # Rows above the image are zero, and so are the places beside it.
        self.rows = deque(weight.new_zeros(shape) for _ in range(rows))

    def add_row(self) -> Tensor:
        """Drop the oldest row, and return the place for the newest, `[W, B, inputs]`, to be filled."""
        self.rows.rotate(-1)
        return self.rows[-1][self.reach : self.reach + self.width]

    def clear(self) -> None:
        """Forget all rows, for new images."""
        for row in self.rows:
            row.zero_()

    def add_to(self, maps: Tensor) -> None:
        """Add the convolution of the rows to maps `[W, B, outputs]`."""
        flat = maps.view(-1, maps.shape[2])
        for row, matrices in zip(self.rows, self.matrices, strict=True):
            for tap, matrix in enumerate(matrices):
                flat.addmm_(row[tap : tap + self.width].view(-1, self.inputs), matrix)


class RowOffset:
    """The bias of a layer together with what the conditions add to it, for a row of maps `[W, B, outputs]`.

    Args:
        bias: `[channels]`, or `[B, channels]`.
        condition: the layer's, or None.
        context: of the conditions, or None.
        scale: factors on the channels, or None.
        order: which of the channels the maps hold, in which order; None for all as they are.
    """

    def __init__(
        self,
        bias: Tensor,
        condition: ConditionBias | None = None,
        context: Context | None = None,
        *,
        scale: Tensor | None = None,
        order: list[int] | None = None,
    ) -> None:
        channels = torch.arange(bias.shape[-1], device=bias.device)
        if order is not None:
            channels = channels[order]
        factors = torch.ones_like(bias) if scale is None else scale
        everywhere = None if condition is None or context is None else condition.everywhere(context)
        self.constant = ((bias if everywhere is None else bias + everywhere) * factors)[..., channels]
        self.places = self.weight = None
        if condition is not None and condition.places is not None and context is not None:
            self.places = context.places
            self.weight = (condition.places * factors[:, None])[channels].T.contiguous()

    def put_into(self, maps: Tensor, row: int) -> None:
        """Set maps to the offset of a row."""
        maps.copy_(self.constant)
        if self.places is not None and self.weight is not None:
            maps += self.places[:, :, row].permute(2, 0, 1) @ self.weight

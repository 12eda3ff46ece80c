"""The network of PixelCNN++ (arXiv 1701.05517, figure 2): two streams, halved and doubled again, with shortcuts.

The order of its layers is written once, in `TwoStreams.through`; what runs them, over maps of numbers or over maps of
what is seen, is an argument.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Generic, NamedTuple, Protocol, TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nextpixel.nn.conditioning import Context, ContextSizes
from nextpixel.nn.layers import Layers
from nextpixel.nn.masked_conv import shift_down
from nextpixel.nn.recompute import call
from nextpixel.nn.shifted import GrowingConv2d, ShiftedConv2d, ShiftedResidual

Maps = TypeVar("Maps")


def shift_right(maps: Tensor) -> Tensor:
    """Move every column to the right by one: column c of the result is column c-1, and column 0 is zero."""
    return F.pad(maps, (1, -1))


class Both(NamedTuple, Generic[Maps]):
    """The maps of both streams.

    Attributes:
        rows: know, at each place, the rows above its own.
        pixels: know the pixels to the left in its own row as well.
    """

    rows: Maps
    pixels: Maps


class Computation(Protocol[Maps]):
    """What runs the layers."""

    def residual(self, layer: ShiftedResidual, maps: Maps, beside: Sequence[Maps], halvings: int) -> Maps:
        """Run a residual layer on maps that were halved so many times."""

    def halve(self, layer: ShiftedConv2d, maps: Maps) -> Maps:
        """Halve maps."""

    def double(self, layer: GrowingConv2d, maps: Maps, like: Maps) -> Maps:
        """Double maps to the size of others."""


class TwoStreams(nn.Module):
    """From the maps of the image, `[B, m, H, W]`, to features of the pixels before each pixel, `[B, features, H, W]`.

    Args:
        image: maps m of the image.
        features: maps of each stream.
        layers: residual layers at each size, on the way down; on the way up there is one more at all but the smallest.
        sizes: how many sizes there are; each is half of the one before.
        kernel_size: odd side of the kernels.
        dropout: see `ShiftedResidual`.
        context: channels of the conditions' context; None without conditions.
    """

    PARTS: ClassVar = {
        "first_rows": ShiftedConv2d,
        "first_above": ShiftedConv2d,
        "first_left": ShiftedConv2d,
        "down_rows": ShiftedResidual,
        "down_pixels": ShiftedResidual,
        "halve_rows": ShiftedConv2d,
        "halve_pixels": ShiftedConv2d,
        "up_rows": ShiftedResidual,
        "up_pixels": ShiftedResidual,
        "double_rows": GrowingConv2d,
        "double_pixels": GrowingConv2d,
    }

    def __init__(
        self,
        image: int,
        features: int,
        *,
        layers: int,
        sizes: int,
        kernel_size: int,
        dropout: float,
        context: ContextSizes | None,
    ) -> None:
        super().__init__()
        self.layers, self.sizes, self.reach = layers, sizes, kernel_size // 2
        reach = self.reach

        def residuals(count: int, beside: int, *, right: bool) -> Layers[ShiftedResidual]:
            made = (
                ShiftedResidual(features, kernel_size, right=right, beside=beside, dropout=dropout, context=context)
                for _ in range(count)
            )
            return Layers(ShiftedResidual, made)

        def halving(right: int) -> Layers[ShiftedConv2d]:
            made = (ShiftedConv2d(features, features, above=1, left=1, right=right, stride=2) for _ in range(sizes - 1))
            return Layers(ShiftedConv2d, made)

        up = sizes * layers + sizes - 1
        # These see the image moved down, and the last of them moved to the right.
        self.first_rows = ShiftedConv2d(image, features, above=reach, left=reach, right=reach)
        self.first_above = ShiftedConv2d(image, features, left=reach, right=reach)
        self.first_left = ShiftedConv2d(image, features, above=reach, left=reach - 1)
        self.down_rows = residuals(sizes * layers, 0, right=True)
        self.down_pixels = residuals(sizes * layers, features, right=False)
        self.halve_rows, self.halve_pixels = halving(right=1), halving(right=0)
        self.up_rows = residuals(up, features, right=True)
        self.up_pixels = residuals(up, 2 * features, right=False)
        self.double_rows, self.double_pixels = (
            Layers(GrowingConv2d, (GrowingConv2d(features, right=right) for _ in range(sizes - 1)))
            for right in (True, False)
        )

    def through(self, first: Both[Maps], run: Computation[Maps]) -> Maps:
        """Run the layers after the first ones.

        Args:
            first: what these give.
            run: runs a layer.

        Returns:
            The maps of the pixels at the end.
        """
        down, halving = zip(self.down_rows, self.down_pixels, strict=True), list(self.halve_rows)
        up = zip(self.up_rows, self.up_pixels, strict=True)
        doubling = list(zip(self.double_rows, self.double_pixels, strict=True))
        kept: list[list[Both[Maps]]] = []
        rows, pixels = first
        for halvings in range(self.sizes):
            if halvings:
                of_rows, of_pixels = halving[halvings - 1], list(self.halve_pixels)[halvings - 1]
                rows, pixels = run.halve(of_rows, rows), run.halve(of_pixels, pixels)
            kept.append([Both(rows, pixels)])
            for _ in range(self.layers):
                of_rows_here, of_pixels_here = next(down)
                rows = run.residual(of_rows_here, rows, [], halvings)
                pixels = run.residual(of_pixels_here, pixels, [rows], halvings)
                kept[-1].append(Both(rows, pixels))
        kept[-1].pop()
        for halvings in reversed(range(self.sizes)):
            shortcuts = kept[halvings]
            if halvings < self.sizes - 1:
                doubles_rows, doubles_pixels = doubling[halvings]
                like = shortcuts[0]
                rows = run.double(doubles_rows, rows, like.rows)
                pixels = run.double(doubles_pixels, pixels, like.pixels)
            for shortcut in reversed(shortcuts):
                of_rows_here, of_pixels_here = next(up)
                rows = run.residual(of_rows_here, rows, [shortcut.rows], halvings)
                pixels = run.residual(of_pixels_here, pixels, [rows, shortcut.pixels], halvings)
        return pixels

    def forward(self, maps: Tensor, context: Context | None, *, recompute: bool) -> Tensor:
        """Run over the whole map; `recompute` as in `nextpixel.nn.recompute`."""
        down, right = shift_down(maps), shift_right(maps)
        first = Both(self.first_rows(down), self.first_above(down) + self.first_left(right))
        features: Tensor = self.through(first, _Numbers(halved(context, self.sizes), recompute))
        return features

    def sees(self, height: int, width: int) -> Tensor:
        """Which pixels each pixel sees, bool `[height * width, height * width]`."""
        count = height * width
        image = torch.eye(count, dtype=torch.bool).view(count, height, width)
        down, right = shift_down(image), shift_right(image)
        first = Both(_seen(self.first_rows, down), _seen(self.first_above, down) | _seen(self.first_left, right))
        return self.through(first, _Sight()).flatten(1).T


def halved(context: Context | None, sizes: int) -> list[Context | None]:
    """The context as layers see it at each size."""
    contexts = [context]
    for _ in range(sizes - 1):
        if context is not None and context.places is not None:
            context = context._replace(places=context.places[..., ::2, ::2])
        contexts.append(context)
    return contexts


class _Numbers(NamedTuple):
    """The layers over whole maps."""

    contexts: list[Context | None]
    recompute: bool

    def residual(self, layer: ShiftedResidual, maps: Tensor, beside: Sequence[Tensor], halvings: int) -> Tensor:
        others = torch.cat(list(beside), dim=1) if beside else None
        result: Tensor = call(layer, maps, others, self.contexts[halvings], recompute=self.recompute)
        return result

    def halve(self, layer: ShiftedConv2d, maps: Tensor) -> Tensor:
        result: Tensor = layer(maps)
        return result

    def double(self, layer: GrowingConv2d, maps: Tensor, like: Tensor) -> Tensor:
        result: Tensor = layer(maps, (like.shape[2], like.shape[3]))
        return result


class _Sight:
    """The layers over bool maps `[N, H, W]`, True where a place sees pixel n of the image."""

    def residual(
        self,
        layer: ShiftedResidual,
        maps: Tensor,
        beside: Sequence[Tensor],
        halvings: int,  # noqa: ARG002 - what is seen does not depend on the conditions
    ) -> Tensor:
        between = _seen(layer.first, maps)
        for others in beside:
            between = between | others
        return maps | _seen(layer.second, between)

    def halve(self, layer: ShiftedConv2d, maps: Tensor) -> Tensor:
        return _seen(layer, maps)

    def double(self, layer: GrowingConv2d, maps: Tensor, like: Tensor) -> Tensor:
        grown = maps.repeat_interleave(2, dim=1).repeat_interleave(2, dim=2)
        if layer.right:
            grown[:, :, 1:-1:2] |= grown[:, :, 2::2]
        return grown[:, : like.shape[1], : like.shape[2]]


def _seen(layer: ShiftedConv2d, maps: Tensor) -> Tensor:
    """What the places of a convolution see, given what those of its inputs see."""
    _, height, width = maps.shape
    padded = F.pad(maps, (layer.left, layer.right, layer.above, 0))
    seen = torch.zeros_like(maps)
    for down in range(layer.above + 1):
        for right in range(layer.left + 1 + layer.right):
            seen |= padded[:, down : down + height, right : right + width]
    return seen[:, :: layer.stride, :: layer.stride]

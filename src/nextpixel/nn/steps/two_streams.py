"""The network of PixelCNN++ (`nextpixel.nn.two_streams`) step by step.

The stream of rows knows finished rows only, so it runs once a row, for the whole row. The stream of pixels runs once a
pixel. A coarse place is computed when its first fine place comes, and kept until the last one has seen it: half of the
pixels of every second row compute what was halved once, a sixteenth what was halved twice.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from nextpixel.nn.conditioning import Context
from nextpixel.nn.level_embedding import LevelEmbedding
from nextpixel.nn.masks import ChannelGroups
from nextpixel.nn.shifted import GrowingConv2d, ShiftedConv2d, ShiftedResidual
from nextpixel.nn.steps.convolutions import MaskedConvStep
from nextpixel.nn.steps.feature_row import FeatureRow
from nextpixel.nn.steps.pixel_head import PixelHeadStep
from nextpixel.nn.steps.pixel_stepper import PixelStepper
from nextpixel.nn.steps.rows_above import RowOffset, RowsAbove
from nextpixel.nn.two_streams import TwoStreams, halved

_Pair = tuple[ShiftedResidual, ShiftedResidual]


class TwoStreamsStepper(PixelStepper):
    """A PixelCNN++ in the middle of a batch.

    Args:
        network: its two streams.
        maps: how the image enters them.
        readout: the head.
        width: of the images.
        context: of the conditions, or None.
    """

    def __init__(
        self,
        network: TwoStreams,
        maps: LevelEmbedding,
        readout: PixelHeadStep,
        width: int,
        context: Context | None,
    ) -> None:
        like, reach, batch = network.first_rows.bias, network.reach, len(readout.pixel.flat)
        super().__init__(FeatureRow(like, batch, width, maps.groups, reach), maps, readout)
        features = len(like)
        self.first_rows = _RowsConv(network.first_rows, batch, width)
        self.first = MaskedConvStep(
            _first_kernel(network),
            "A",
            self.image.of_one_colour(),
            ChannelGroups.split(features, 1),
            RowOffset(network.first_above.bias + network.first_left.bias),
        )
        halving = [*zip(network.halve_rows, network.halve_pixels, strict=True), None]
        doubling = [*zip(network.double_rows, network.double_pixels, strict=True), None]
        self.sizes = []
        for way_down, way_up, halves, doubles, here in zip(
            *_ways(network), halving, doubling, halved(context, network.sizes), strict=True
        ):
            self.sizes.append(
                _Size(
                    [_Layer(*pair, batch, width, here) for pair in way_down],
                    [_Layer(*pair, batch, width, here) for pair in way_up],
                    None if halves is None else _Halving(*halves, batch, width),
                    None if doubles is None else _Doubling(*doubles),
                    like.new_zeros(width, batch, features),
                )
            )
            width = -(-width // 2)
        self.row, self.deepest = 0, 0

    def start_row(self, row: int) -> None:
        """See `Stepper`."""
        self.row = row
        self.first.start_row(row)
        if row:
            self.first_rows.add(self.image.places.transpose(0, 1))
        else:
            self.first_rows.clear()
        rows = self.first_rows.maps()
        kept: list[list[Tensor]] = []
        for halvings, size in enumerate(self.sizes):
            here = row >> halvings
            kept.append([rows])
            for layer in size.down:
                rows = layer.start_row(here, rows, None)
                kept[-1].append(rows)
            self.deepest = halvings
            if size.halving is None:
                kept[-1].pop()
                break
            size.halving.start_row(here, rows)
            if here % 2:
                break
            rows = size.halving.rows.maps()[::2]
        for halvings in reversed(range(self.deepest + 1)):
            size, here = self.sizes[halvings], row >> halvings
            if size.doubling is not None:
                rows = size.doubling.rows(self.sizes[halvings + 1].last_rows, here, len(size.pixels))
            for layer, shortcut in zip(size.up, reversed(kept[halvings]), strict=True):
                rows = layer.start_row(here, rows, shortcut)
            size.last_rows = rows

    def step(self, column: int) -> Tensor:
        """See `PixelStepper`."""
        pixels = self.first.step(column, 0)
        kept: list[list[Tensor]] = []
        deepest = 0
        for halvings, size in enumerate(self.sizes):
            here = column >> halvings
            kept.append([pixels])
            for layer in size.down:
                pixels = layer.step(here, pixels, None)
                kept[-1].append(pixels)
            deepest = halvings
            if size.halving is None:
                kept[-1].pop()
                break
            size.halving.keep(here, pixels)
            if halvings == self.deepest or here % 2:
                break
            pixels = size.halving.pixels.step(here, 0)
        for halvings in reversed(range(deepest + 1)):
            size, here = self.sizes[halvings], column >> halvings
            if size.doubling is not None:
                coarse = self.sizes[halvings + 1].pixels[here // 2]
                pixels = size.doubling.pixel(coarse, self.row >> halvings, here)
            for layer, shortcut in zip(size.up, reversed(kept[halvings]), strict=True):
                pixels = layer.step(here, pixels, shortcut)
            size.pixels[here] = pixels
        return pixels


class _Size:
    """What there is of one size.

    Attributes:
        down: the layers on the way down.
        up: those on the way up.
        halving: what leads to the next size; None for the smallest.
        doubling: what leads back from it.
        pixels: what the way up gave for the pixels of the current row, `[W, B, p]`.
        last_rows: what it gave for the rows, `[W, B, p]`.
    """

    def __init__(
        self,
        down: list[_Layer],
        up: list[_Layer],
        halving: _Halving | None,
        doubling: _Doubling | None,
        pixels: Tensor,
    ) -> None:
        self.down, self.up, self.halving, self.doubling, self.pixels = down, up, halving, doubling, pixels
        self.last_rows = pixels


class _RowsConv:
    """A convolution of the stream of rows, whose stride is left to the caller."""

    def __init__(self, conv: ShiftedConv2d, batch: int, width: int, offset: RowOffset | None = None) -> None:
        self.rows = RowsAbove(conv.weight, batch, width)
        self.offset = RowOffset(conv.bias) if offset is None else offset
        self.result = conv.bias.new_zeros(width, batch, len(conv.bias))
        self.row = 0

    def clear(self) -> None:
        """Begin new images."""
        self.rows.clear()

    def add(self, maps: Tensor) -> None:
        """Go on to the next row of inputs, `[W, B, inputs]`."""
        self.rows.add_row().copy_(maps)

    def maps(self, row: int = 0) -> Tensor:
        """What it makes of the rows so far, `[W, B, outputs]`; `row` is that of the conditions."""
        self.offset.put_into(self.result, row)
        self.rows.add_to(self.result)
        return self.result


class _Layer:
    """A residual layer of each stream, the rows' one feeding the pixels' one."""

    def __init__(
        self, rows: ShiftedResidual, pixels: ShiftedResidual, batch: int, width: int, context: Context | None
    ) -> None:
        # Rows.
        offset = rows.first.bias if rows.beside is None else rows.first.bias + rows.beside.bias
        self.rows_first = _RowsConv(rows.first, batch, width, RowOffset(offset))
        self.rows_beside = None if rows.beside is None else rows.beside.weight[:, :, 0, 0].T.contiguous()
        self.rows_second = _RowsConv(rows.second, batch, width, RowOffset(rows.second.bias, rows.condition, context))
        # Pixels.
        p = pixels.maps
        one, two = ChannelGroups.split(p, 1), ChannelGroups.split(2 * p, 1)
        like, reach = pixels.first.bias, pixels.first.above
        assert pixels.beside is not None
        self.active, self.between = (FeatureRow(like, batch, width, two, reach) for _ in range(2))
        self.first = MaskedConvStep(
            _centred(pixels.first.weight), "B", self.active, one, RowOffset(like + pixels.beside.bias)
        )
        self.second = MaskedConvStep(
            _centred(pixels.second.weight),
            "B",
            self.between,
            two,
            RowOffset(pixels.second.bias, pixels.condition, context),
        )
        # Of the maps beside, those of the rows come first, then those of the shortcut; then the negatives of both.
        beside = pixels.beside.weight[:, :, 0, 0].T
        halves = beside.view(2, -1, p)
        self.from_rows = halves[:, :p].flatten(0, 1).contiguous()
        self.from_shortcut = halves[:, p:].flatten(0, 1).contiguous()

    def start_row(self, row: int, rows: Tensor, shortcut: Tensor | None) -> Tensor:
        """Run the rows' layer, and prepare the pixels' one: `[W, B, p]`, and its shortcut, to `[W, B, p]`."""
        if row == 0:
            self.rows_first.clear()
            self.rows_second.clear()
        self.rows_first.add(_concat_elu(rows))
        between = self.rows_first.maps()
        if shortcut is not None and self.rows_beside is not None:
            between += _concat_elu(shortcut) @ self.rows_beside
        self.rows_second.add(_concat_elu(between))
        result = rows + F.glu(self.rows_second.maps(row), dim=2)
        self.first.start_row(row)
        self.first.base.add_(_concat_elu(result) @ self.from_rows)
        self.second.start_row(row)
        return result

    def step(self, column: int, pixels: Tensor, shortcut: Tensor | None) -> Tensor:
        """Run the pixels' layer: `[B, p]`, and its shortcut, to `[B, p]`."""
        self.active.own[column][0].copy_(_concat_elu(pixels))
        between = self.first.step(column, 0)
        if shortcut is not None:
            between = torch.addmm(between, _concat_elu(shortcut), self.from_shortcut)
        self.between.own[column][0].copy_(_concat_elu(between))
        return pixels + F.glu(self.second.step(column, 0), dim=1)


class _Halving:
    """What halves both streams."""

    def __init__(self, rows: ShiftedConv2d, pixels: ShiftedConv2d, batch: int, width: int) -> None:
        groups = ChannelGroups.split(len(pixels.bias), 1)
        self.rows = _RowsConv(rows, batch, width)
        self.inputs = FeatureRow(pixels.bias, batch, width, groups, pixels.above)
        self.pixels = MaskedConvStep(_centred(pixels.weight), "B", self.inputs, groups, RowOffset(pixels.bias))

    def start_row(self, row: int, rows: Tensor) -> None:
        """Take a row of the rows' maps, `[W, B, p]`, and the finished one of the pixels'."""
        if row == 0:
            self.rows.clear()
        self.rows.add(rows)
        self.pixels.start_row(row)

    def keep(self, column: int, pixels: Tensor) -> None:
        """Take a pixel, `[B, p]`."""
        self.inputs.own[column][0].copy_(pixels)


class _Doubling:
    """What doubles both streams."""

    def __init__(self, rows: GrowingConv2d, pixels: GrowingConv2d) -> None:
        self.rows_bias, self.pixels_bias = rows.bias, pixels.bias
        # For each row and tap, [inputs, outputs].
        self.of_rows, self.of_pixels = (
            [[taps.contiguous() for taps in row.unbind(2)] for row in conv.weight.unbind(2)] for conv in (rows, pixels)
        )

    def rows(self, coarse: Tensor, row: int, width: int) -> Tensor:
        """A fine row, `[width, B, p]`, of the coarse one that it lies in, `[w, B, p]`."""
        right, even, odd = self.of_rows[row % 2]
        fine = coarse.new_empty(2 * len(coarse), *coarse.shape[1:])
        fine[::2] = coarse @ even
        fine[1::2] = coarse @ odd
        fine[1:-1:2] += coarse[1:] @ right
        return fine[:width] + self.rows_bias

    def pixel(self, coarse: Tensor, row: int, column: int) -> Tensor:
        """A fine pixel, `[B, p]`, of the coarse one that it lies in."""
        return torch.addmm(self.pixels_bias, coarse, self.of_pixels[row % 2][column % 2])


def _ways(network: TwoStreams) -> tuple[list[list[_Pair]], list[list[_Pair]]]:
    """The layers of both streams on the way down and on the way up, each for every size from the largest."""
    down = iter(list(zip(network.down_rows, network.down_pixels, strict=True)))
    up = iter(list(zip(network.up_rows, network.up_pixels, strict=True)))
    smallest = network.sizes - 1
    ways_down = [[next(down) for _ in range(network.layers)] for _ in range(network.sizes)]
    ways_up = [
        [next(up) for _ in range(network.layers + (halvings < smallest))] for halvings in reversed(range(network.sizes))
    ]
    return ways_down, ways_up[::-1]


def _concat_elu(maps: Tensor) -> Tensor:
    """`nextpixel.nn.shifted.ConcatELU` where the maps come last."""
    return F.elu(torch.cat([maps, -maps], dim=-1))


def _centred(weight: Tensor) -> Tensor:
    """A kernel with taps up to the pixel's own column, with zeros to the right of it."""
    return F.pad(weight, (0, weight.shape[3] - 1))


def _first_kernel(network: TwoStreams) -> Tensor:
    """The two first convolutions of the pixels as one kernel with mask A, centred on the pixel."""
    kernel = F.pad(network.first_left.weight, (0, network.reach + 1))
    kernel[:, :, -2] += network.first_above.weight[:, :, 0]
    return kernel

"""The integer twin of the PixelCNN (`nextpixel.models.pixelcnn`)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from nextpixel.codec.fixed_point import IntegerStepper, Twin
from nextpixel.codec.integers import Part, Rounded, Sum
from nextpixel.codec.readout_twin import Product, ReadoutTwin
from nextpixel.models.base import ImageModel
from nextpixel.nn.conditioning import Context
from nextpixel.nn.masks import ChannelGroups
from nextpixel.nn.residual import ResidualBlock
from nextpixel.nn.steps.rows_above import RowsAbove
from nextpixel.nn.steps.stepper import FeatureRow, products


def _blocks(model: ImageModel) -> list[ResidualBlock]:
    return [block for block in model.modules() if isinstance(block, ResidualBlock)]


def _child(model: ImageModel, name: str) -> Any:
    return dict(model.named_children())[name]


class PixelCNNTwin(Twin):
    """The integers of a PixelCNN; see `Twin`.

    Its activations are the maps after the first convolution; for each block those after its narrow convolution, after
    its wide one, and its outputs; then the features that the head reads, and those between its two convolutions.
    """

    def __init__(self, model: ImageModel, ranges: Sequence[int], limit: float) -> None:
        super().__init__(model, ranges, limit)
        first, readout, blocks = _child(model, "first"), _child(model, "readout"), _blocks(model)
        self.maps, self.hidden = blocks[0].maps, blocks[0].hidden
        channels = self.image_shape[0]
        self.image_groups = ChannelGroups.split(channels, channels)
        image = Part(first.visible_weight.double(), self.levels - 1, self.levels - 1)
        self.first = self.sum([image], first.bias)
        self.residual = blocks[0].residual
        self.blocks = [
            _Block(self, block, self.largest[3 * index], self.largest[3 * index + 1 : 3 * index + 4])
            for index, block in enumerate(blocks)
        ]
        self.skips = None
        read = self.largest[3 * len(blocks)]
        if blocks[0].skip:
            n = self.maps.channels
            weight = torch.cat([block.out.visible_weight[-n:, :, 0, 0] for block in blocks], dim=1)
            bias = torch.stack([block.out.bias[-n:].double() for block in blocks]).sum(dim=0)
            parts = [
                Part(piece.double(), block.largest[1])
                for piece, block in zip(
                    torch.split_with_sizes(weight, [self.hidden.channels] * len(blocks), 1), self.blocks, strict=True
                )
            ]
            self.skips = self.sum(parts, bias)
            read = self.largest[-2]
        self.readout = ReadoutTwin(self, readout, read, self.largest[-1], F.relu)

    @staticmethod
    def activations(model: ImageModel) -> int:
        """How many ranges the twin needs."""
        return 3 * len(_blocks(model)) + 3

    @staticmethod
    def measure(model: ImageModel, inputs: Tensor, context: Context | None) -> list[float]:
        """The largest absolute value of each activation."""
        maps = _child(model, "first")(inputs)
        found = [float(maps.abs().max())]
        skips: Tensor | None = None
        for block in _blocks(model):
            core: Any = block.core
            narrow = core.narrow(core.activation(maps))
            hidden = core(maps, context)
            maps, skip = block(maps, context)
            found += [float(each.abs().max()) for each in (narrow, hidden, maps)]
            if skip is not None:
                skips = skip if skips is None else skips + skip
        return [*found, *ReadoutTwin.measure(_child(model, "readout"), maps if skips is None else skips)]

    def stepper(
        self, batch: int, width: int, labels: Tensor | None, dtype: torch.dtype | None = None
    ) -> IntegerStepper:
        """See `Twin`."""
        like = torch.zeros(1, dtype=dtype or self.carrier)
        return _Stepper(self, batch, width, torch.zeros(batch, dtype=torch.int64) if labels is None else labels, like)


class _Block:
    """The integers of one block; `largest` are those of the narrow maps, of the wide ones, and of the outputs."""

    def __init__(self, twin: PixelCNNTwin, block: ResidualBlock, inputs: int, largest: Sequence[int]) -> None:
        core: Any = block.core
        self.largest = largest
        self.narrow = twin.sum([Part(core.narrow.visible_weight[:, :, 0, 0].double(), inputs)], core.narrow.bias)
        wide = Part(core.wide.visible_weight.double(), largest[0])
        self.wide = twin.sum([wide], core.wide.bias, core.condition)
        self.out = None
        if block.goes_on:
            n = block.maps.channels
            out = Part(block.out.visible_weight[:n, :, 0, 0].double(), largest[1])
            self.out = twin.sum([out], block.out.bias[:n])


class _Conv:
    """A masked convolution over rows above and to the left, whole rows or single sub-pixels."""

    def __init__(
        self,
        own: Sum,
        kind: str,
        inputs: FeatureRow,
        outputs: ChannelGroups,
        largest: int,
        labels: Tensor,
        like: Tensor,
    ) -> None:
        batch, width = inputs.places.shape[:2]
        weight = own.weights[0].to(like)
        bias = own.bias[labels] if len(own.bias) > 1 else own.bias.expand(batch, -1)
        self.inputs, self.bias = inputs, bias.to(like)
        self.above = RowsAbove(weight[:, :, :-1], batch, width)
        self.base = like.new_zeros(width, batch, outputs.channels)
        self.matrices = products(weight, inputs.groups, outputs, own=kind == "B")
        self.seen = inputs.seen if kind == "B" else inputs.before
        self.taps = weight[:, :, -1, : inputs.reach + 1].permute(2, 1, 0).contiguous()
        spans = [slice(a, b) for a, b in zip((0, *outputs.ends[:-1]), outputs.ends, strict=True)]
        self.bases = [[row[:, span] for span in spans] for row in self.base]
        self.round = Rounded(own.scale, largest, like)
        self.rounds = [Rounded(own.scale[span], largest, like) for span in spans]

    def start_row(self, row: int) -> None:
        self.base.copy_(self.bias)
        if row:
            self.above.add_row().copy_(self.inputs.places.transpose(0, 1))
        self.above.add_to(self.base)

    def whole_row(self) -> Tensor:
        width = len(self.base)
        for tap, matrix in enumerate(self.taps):
            self.base.add_(torch.matmul(self.inputs.buffer[:, tap : tap + width].transpose(0, 1), matrix))
        return self.round(self.base)

    def step(self, column: int, colour: int) -> Tensor:
        sums = torch.addmm(self.bases[column][colour], self.seen[column][colour], self.matrices[colour])
        return self.rounds[colour](sums)


class _Stepper(IntegerStepper):
    def __init__(self, twin: PixelCNNTwin, batch: int, width: int, labels: Tensor, like: Tensor) -> None:
        self.twin = twin
        reach = twin.first.weights[0].shape[3] // 2
        self.image = FeatureRow(like, batch, width, twin.image_groups, reach)
        self.first = _Conv(twin.first, "A", self.image, twin.maps, twin.largest[0], labels * 0, like)
        self.cores = []
        for block in twin.blocks:
            middle = FeatureRow(like, batch, width, twin.hidden, block.wide.weights[0].shape[3] // 2)
            narrow = Product(block.narrow, twin.maps, twin.hidden, block.largest[0], like)
            wide = _Conv(block.wide, "B", middle, twin.hidden, block.largest[1], labels, like)
            out = None if block.out is None else Product(block.out, twin.hidden, twin.maps, block.largest[2], like)
            self.cores.append((block, middle, narrow, wide, out))
        # What a block has made of the earlier colours of a pixel is needed by the later ones.
        self.actives = [FeatureRow(like, batch, 1, twin.maps, 0) for _ in twin.blocks]
        self.wide_now = [FeatureRow(like, batch, 1, twin.hidden, 0) for _ in twin.blocks]
        n = twin.hidden.channels
        self.features = like.new_zeros(batch, len(twin.blocks) * n)
        if twin.skips is not None:
            weight = torch.cat(twin.skips.weights, dim=1).T.to(like)
            owns = [list(twin.maps.of(colour)) for colour in range(len(twin.maps.ends))]
            self.skip_all, self.skip_bias = weight.contiguous(), twin.skips.bias[0].to(like)
            self.skip_round = Rounded(twin.skips.scale, twin.largest[-2], like)
            self.skip = [weight[:, own].contiguous() for own in owns]
            self.skip_biases = [self.skip_bias[own] for own in owns]
            self.skip_rounds = [Rounded(twin.skips.scale[own], twin.largest[-2], like) for own in owns]
        self.readout = twin.readout.step(batch, like)

    def start_row(self, row: int) -> None:
        self.first.start_row(row)
        for _, _, _, wide, _ in self.cores:
            wide.start_row(row)

    def whole_row(self, values: Tensor) -> Tensor:
        self.image.places.copy_(values.transpose(1, 2).to(self.image.places).mul_(2).sub_(self.twin.levels - 1))
        maps = self.first.whole_row()
        features = []
        for block, middle, narrow, wide, out in self.cores:
            middle.places.copy_(narrow.whole(maps.clamp(min=0)).clamp_(min=0).transpose(0, 1))
            hidden = wide.whole_row().clamp(min=0)
            features.append(hidden)
            if out is not None:
                added = out.whole(hidden)
                maps = added.add_(maps).clamp_(-block.largest[2], block.largest[2]) if self.twin.residual else added
        if self.twin.skips is not None:
            maps = self.skip_round(torch.matmul(torch.cat(features, dim=2), self.skip_all).add_(self.skip_bias))
        return self.readout.whole(maps)

    def predict(self, column: int, colour: int) -> Tensor:
        maps = self.first.step(column, colour)
        n = self.twin.hidden.channels
        ends = self.twin.hidden.ends
        start = (0, *ends)[colour]
        for index, (block, middle, narrow, wide, out) in enumerate(self.cores):
            active = self.actives[index]
            active.own[0][colour].copy_(maps.clamp(min=0))
            middle.own[column][colour].copy_(narrow.of(colour, active.seen[0][colour]).clamp_(min=0))
            hidden = wide.step(column, colour).clamp_(min=0)
            self.features[:, index * n + start : index * n + ends[colour]] = hidden
            if out is not None:
                now = self.wide_now[index]
                now.own[0][colour].copy_(hidden)
                added = out.of(colour, now.seen[0][colour])
                maps = added.add_(maps).clamp_(-block.largest[2], block.largest[2]) if self.twin.residual else added
        if self.twin.skips is not None:
            sums = torch.addmm(self.skip_biases[colour], self.features, self.skip[colour])
            maps = self.skip_rounds[colour](sums)
        return self.readout.read(colour, maps)

    def tell(self, column: int, colour: int, values: Tensor) -> None:
        self.image.own[column][colour][:, 0] = 2 * values - (self.twin.levels - 1)

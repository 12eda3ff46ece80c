"""The integer twin of the PixelCNN (`nextpixel.families.pixelcnn`)."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce

import torch
import torch.nn.functional as F
from torch import Tensor

from nextpixel.codec.convolution_twin import ConvolutionTwinStep, Product
from nextpixel.codec.head_twin import HeadTwin
from nextpixel.codec.integers import Part
from nextpixel.codec.twin import IntegerStepper, Twin
from nextpixel.families.pixelcnn import PixelCNN
from nextpixel.families.residual_stepper import check_frame
from nextpixel.nn.conditioning import Context
from nextpixel.nn.convolutions import Convolutions
from nextpixel.nn.residual import ResidualBlock
from nextpixel.nn.steps.feature_row import FeatureRow


class PixelCNNTwin(Twin[PixelCNN]):
    """The integers of a PixelCNN; see `Twin`.

    Its activations are the maps after the first convolution; for each block those after its narrow convolution, after
    its wide one, and its outputs; then the features that the head reads, and those between its two convolutions.
    """

    family = PixelCNN

    def __init__(self, model: PixelCNN, ranges: Sequence[int], limit: float, head_limit: float) -> None:
        super().__init__(model, ranges, limit, head_limit)
        blocks = list(model.blocks)
        first = model.first
        self.maps, self.hidden = blocks[0].maps, blocks[0].hidden
        image = Part(first.visible_weight.double(), self.image_largest, self.image_steps)
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
            parts = [
                Part(block.out.visible_weight[-n:, :, 0, 0].double(), layers.largest[1])
                for block, layers in zip(blocks, self.blocks, strict=True)
            ]
            # One after the other: a reduction adds in an order of its own on every machine.
            bias = reduce(torch.add, [block.out.bias[-n:].double() for block in blocks])
            self.skips = self.sum(parts, bias)
            read = self.largest[-2]
        self.readout = HeadTwin(self, model.readout, read, self.largest[-1], F.relu)

    @staticmethod
    def _check_layers(model: PixelCNN) -> None:
        check_frame(model, Convolutions, "integers")
        HeadTwin.check(model.readout, F.relu)

    @staticmethod
    def activations(model: PixelCNN) -> int:
        """See `Twin`."""
        return 3 * len(model.blocks) + 3

    @staticmethod
    def measure(model: PixelCNN, inputs: Tensor, context: Context | None) -> list[float]:
        """See `Twin`."""
        maps = model.first(model.image_maps(inputs))
        largest = [float(maps.abs().max())]
        skips: Tensor | None = None
        for block in model.blocks:
            core = block.core
            narrow = core.narrow(core.activation(maps))
            hidden = core(maps, context)
            maps, skip = block(maps, context)
            largest += [float(activation.abs().max()) for activation in (narrow, hidden, maps)]
            if skip is not None:
                skips = skip if skips is None else skips + skip
        return [*largest, *HeadTwin.measure(model.readout, maps if skips is None else skips)]

    def _stepper(self, batch: int, width: int, labels: Tensor, like: Tensor) -> IntegerStepper:
        return _Stepper(self, batch, width, labels, like)


class _Block:
    """The integers of one block; `largest` are those of the narrow maps, of the wide ones, and of the outputs."""

    def __init__(
        self, twin: PixelCNNTwin, block: ResidualBlock[Convolutions], inputs: int, largest: Sequence[int]
    ) -> None:
        core = block.core
        self.largest = largest
        self.narrow = twin.sum([Part(core.narrow.visible_weight[:, :, 0, 0].double(), inputs)], core.narrow.bias)
        wide = Part(core.wide.visible_weight.double(), largest[0])
        self.wide = twin.sum([wide], core.wide.bias, core.condition)
        self.out = None
        if block.goes_on:
            n = block.maps.channels
            out = Part(block.out.visible_weight[:n, :, 0, 0].double(), largest[1])
            self.out = twin.sum([out], block.out.bias[:n])


class _Stepper(IntegerStepper):
    def __init__(self, twin: PixelCNNTwin, batch: int, width: int, labels: Tensor, like: Tensor) -> None:
        self.twin = twin
        reach = twin.first.weights[0].shape[3] // 2
        super().__init__(FeatureRow(like, batch, width, twin.image_groups, reach), twin.image_table)
        self.first = ConvolutionTwinStep(twin.first, "A", self.image, twin.maps, twin.largest[0], labels, like)
        self.cores = []
        for block in twin.blocks:
            middle = FeatureRow(like, batch, width, twin.hidden, block.wide.weights[0].shape[3] // 2)
            narrow = Product(block.narrow, twin.maps, twin.hidden, block.largest[0], like)
            wide = ConvolutionTwinStep(block.wide, "B", middle, twin.hidden, block.largest[1], labels, like)
            out = None if block.out is None else Product(block.out, twin.hidden, twin.maps, block.largest[2], like)
            self.cores.append((block, middle, narrow, wide, out))
        # What a block has made of the earlier colours of a pixel is needed by the later ones.
        self.actives = [FeatureRow(like, batch, 1, twin.maps, 0) for _ in twin.blocks]
        self.wide_now = [FeatureRow(like, batch, 1, twin.hidden, 0) for _ in twin.blocks]
        n = twin.hidden.channels
        self.features = like.new_zeros(batch, len(twin.blocks) * n)
        self.skips = None if twin.skips is None else Product(twin.skips, None, twin.maps, twin.largest[-2], like)
        self.readout = twin.readout.step(batch, like)

    def start_row(self, row: int) -> None:
        self.first.start_row(row)
        for _, _, _, wide, _ in self.cores:
            wide.start_row(row)

    def _whole_row(self) -> Tensor:
        maps = self.first.whole_row()
        features = []
        for block, middle, narrow, wide, out in self.cores:
            middle.places.copy_(narrow.whole(maps.clamp(min=0)).clamp_(min=0).transpose(0, 1))
            hidden = wide.whole_row().clamp(min=0)
            features.append(hidden)
            if out is not None:
                added = out.whole(hidden)
                maps = added.add_(maps).clamp_(-block.largest[2], block.largest[2]) if self.twin.residual else added
        if self.skips is not None:
            maps = self.skips.whole(torch.cat(features, dim=2))
        return self.readout.whole(maps)

    def predict(self, column: int, colour: int) -> Tensor:
        maps = self.first.step(column, colour)
        n = self.twin.hidden.channels
        span = self.twin.hidden.spans[colour]
        for index, (block, middle, narrow, wide, out) in enumerate(self.cores):
            active = self.actives[index]
            active.own[0][colour].copy_(maps.clamp(min=0))
            middle.own[column][colour].copy_(narrow.of(colour, active.seen[0][colour]).clamp_(min=0))
            hidden = wide.step(column, colour).clamp_(min=0)
            self.features[:, index * n + span.start : index * n + span.stop] = hidden
            if out is not None:
                now = self.wide_now[index]
                now.own[0][colour].copy_(hidden)
                added = out.of(colour, now.seen[0][colour])
                maps = added.add_(maps).clamp_(-block.largest[2], block.largest[2]) if self.twin.residual else added
        if self.skips is not None:
            maps = self.skips.of(colour, self.features)
        return self.readout.read(colour, maps)

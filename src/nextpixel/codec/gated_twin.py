"""The integer twin of the Gated PixelCNN (`nextpixel.nn.gated`)."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce

import torch
import torch.nn.functional as F
from torch import Tensor

from nextpixel.codec.convolution_twin import ConvolutionTwinStep, Product
from nextpixel.codec.head_twin import HeadTwin
from nextpixel.codec.integers import GATE_REACH, ONE, Gate, Part, Rounded
from nextpixel.codec.twin import IntegerStepper, Twin
from nextpixel.families.gated_pixelcnn import GatedPixelCNN
from nextpixel.nn.conditioning import Context
from nextpixel.nn.gated import GatedLayer
from nextpixel.nn.steps.feature_row import FeatureRow
from nextpixel.nn.steps.gated_stepper import check_stacks
from nextpixel.nn.steps.rows_above import RowsAbove


class GatedTwin(Twin[GatedPixelCNN]):
    """The integers of a Gated PixelCNN; see `Twin`.

    Its activations are, for each layer, the vertical maps before the gate and the horizontal features, then the
    features that the head reads, and those between its two convolutions.
    """

    family = GatedPixelCNN

    def __init__(self, model: GatedPixelCNN, ranges: Sequence[int], limit: float, head_limit: float) -> None:
        super().__init__(model, ranges, limit, head_limit)
        layers = list(model.layers)
        # The first layer sees the image, in both stacks, the others what the one before has made of it.
        image = (self.image_largest, self.image_steps)
        horizontal = [image, *((largest, ONE) for largest in self.largest[1 : 2 * len(layers) : 2])]
        vertical = [image, *[(ONE, ONE)] * len(layers)]
        self.layers = [
            _Layer(self, layer, horizontal[index], vertical[index], self.largest[2 * index : 2 * index + 2])
            for index, layer in enumerate(layers)
        ]
        groups = layers[0].features
        self.skips = None
        if layers[0].skip:
            # The skips of all layers are one sum.
            parts = [Part(layer.out.visible_weight[-groups.channels :, :, 0, 0].double(), ONE) for layer in layers]
            # One after the other: a reduction adds in an order of its own on every machine.
            bias = reduce(torch.add, [layer.out.bias[-groups.channels :].double() for layer in layers])
            self.skips = self.sum(parts, bias)
        read = self.largest[-2] if self.skips else self.largest[2 * len(layers) - 1]
        self.readout = HeadTwin(self, model.readout, read, self.largest[-1], F.elu)
        self.groups = groups

    @staticmethod
    def _check_layers(model: GatedPixelCNN) -> None:
        check_stacks(model.layers, model.image_maps, model.readout, "integers")
        HeadTwin.check(model.readout, F.elu)

    @staticmethod
    def activations(model: GatedPixelCNN) -> int:
        """See `Twin`."""
        return 2 * len(model.layers) + 2

    @staticmethod
    def measure(model: GatedPixelCNN, inputs: Tensor, context: Context | None) -> list[float]:
        """See `Twin`."""
        vertical = horizontal = model.image_maps(inputs)
        skips: Tensor | None = None
        largest: list[float] = []
        for layer in model.layers:
            pre = layer.vertical(vertical)
            if layer.vertical_condition is not None and context is not None:
                pre = layer.vertical_condition(pre, context)
            vertical, horizontal, skip = layer(vertical, horizontal, context)
            largest += [float(pre.abs().max()), float(horizontal.abs().max())]
            if skip is not None:
                skips = skip if skips is None else skips + skip
        maps = horizontal if skips is None else skips
        return [*largest, *HeadTwin.measure(model.readout, maps)]

    def _stepper(self, batch: int, width: int, labels: Tensor, like: Tensor) -> IntegerStepper:
        return _Stepper(self, batch, width, labels, like)


class _Layer:
    """The integers of one layer.

    Args:
        twin: of the model.
        layer: the module.
        horizontal: the largest integer of the horizontal inputs, and how many steps of them make 1.
        vertical: the same of the vertical inputs.
        largest: the largest integers of the vertical maps before the gate, and of the horizontal features.
    """

    def __init__(
        self,
        twin: GatedTwin,
        layer: GatedLayer,
        horizontal: tuple[int, int],
        vertical: tuple[int, int],
        largest: Sequence[int],
    ) -> None:
        self.kind, self.features = layer.horizontal.kind, layer.features
        self.vertical_largest, self.horizontal_largest = largest
        self.vertical = twin.sum(
            [Part(layer.vertical.weight.double(), *vertical)], layer.vertical.bias, layer.vertical_condition
        )
        link_bias = layer.link.bias
        assert link_bias is not None
        self.horizontal = twin.sum(
            [
                Part(layer.horizontal.visible_weight.double(), *horizontal),
                Part(layer.link.weight.double()[:, :, 0, 0], self.vertical_largest),
            ],
            layer.horizontal.bias.double() + link_bias.double(),
            layer.horizontal_condition,
        )
        p = layer.features.channels
        self.out = None
        if layer.goes_on:
            out = layer.out
            self.out = twin.sum([Part(out.visible_weight[:p, :, 0, 0].double(), ONE)], out.bias[:p])


class _Stepper(IntegerStepper):
    def __init__(self, twin: GatedTwin, batch: int, width: int, labels: Tensor, like: Tensor) -> None:
        layers, p = twin.layers, twin.groups.channels
        reaches = [layer.horizontal.weights[0].shape[3] - 1 for layer in layers]
        super().__init__(FeatureRow(like, batch, width, twin.image_groups, reaches[0]), twin.image_table)
        rows = [self.image, *(FeatureRow(like, batch, width, twin.groups, reach) for reach in (*reaches[1:], 0))]
        self.gated = like.new_zeros(width, batch, len(layers) * p)
        self.now = like.new_zeros(batch, len(layers) * p)
        spans = [slice(i * p, i * p + p) for i in range(len(layers))]
        self.layers = [
            _LayerStep(layer, rows[i], rows[i + 1], self.gated[..., span], self.now[:, span], labels, like)
            for i, (layer, span) in enumerate(zip(layers, spans, strict=True))
        ]
        self.last = rows[-1]
        self.skips = None if twin.skips is None else Product(twin.skips, None, twin.groups, twin.largest[-2], like)
        self.readout = twin.readout.step(batch, like)

    def start_row(self, row: int) -> None:
        finished = self.image.places.transpose(0, 1) if row else None
        for layer in self.layers:
            finished = layer.start_row(row, finished)

    def _whole_row(self) -> Tensor:
        for layer in self.layers:
            layer.whole_row()
        return self.readout.whole(
            self.last.places.transpose(0, 1) if self.skips is None else self.skips.whole(self.gated)
        )

    def predict(self, column: int, colour: int) -> Tensor:
        for layer in self.layers:
            layer.step(column, colour)
        maps = self.last.own[column][colour] if self.skips is None else self.skips.of(colour, self.now)
        return self.readout.read(colour, maps)


class _LayerStep:
    def __init__(
        self,
        layer: _Layer,
        inputs: FeatureRow,
        outputs: FeatureRow,
        gated: Tensor,
        now: Tensor,
        labels: Tensor,
        like: Tensor,
    ) -> None:
        self.inputs, self.outputs, self.gated = inputs, outputs, gated
        batch, width = inputs.places.shape[:2]
        features = layer.features
        pair = features.repeat(2)
        self.back = torch.tensor(pair.by_colour).argsort()
        self.gate = Gate(like)
        self.vertical = RowsAbove(layer.vertical.weights[0].to(like), batch, width)
        self.vertical_bias = layer.vertical.bias_of(labels).to(like)
        self.vertical_round = Rounded(layer.vertical.scale, layer.vertical_largest, like)
        self.maps = like.new_zeros(width, batch, pair.channels)
        self.horizontal = ConvolutionTwinStep(layer.horizontal, layer.kind, inputs, pair, GATE_REACH, labels, like)
        self.link = layer.horizontal.weights[1][pair.by_colour].T.to(like).contiguous()
        self.own = features.pieces(now[None])[0]
        self.so_far = [now[:, :end] for end in features.ends]
        self.largest, self.residual = layer.horizontal_largest, layer.kind == "B"
        self.out = None if layer.out is None else Product(layer.out, features, features, self.largest, like)

    def start_row(self, row: int, finished: Tensor | None) -> Tensor | None:
        self.horizontal.start_row(row)
        if finished is None:
            self.vertical.clear()
            return None
        self.vertical.add_row().copy_(finished)
        self.maps.copy_(self.vertical_bias)
        self.vertical.add_to(self.maps)
        maps = self.vertical_round(self.maps)
        self.horizontal.sums.base.view(-1, maps.shape[2]).addmm_(maps.view(-1, maps.shape[2]), self.link)
        return self.gate(maps.clamp(-GATE_REACH, GATE_REACH))

    def whole_row(self) -> None:
        self.gated.copy_(self.gate(self.horizontal.whole_row().index_select(-1, self.back)))
        if self.out is not None:
            self.outputs.places.copy_(self._added(self.out.whole(self.gated).transpose(0, 1), self.inputs.places))

    def step(self, column: int, colour: int) -> None:
        self.own[colour].copy_(self.gate(self.horizontal.step(column, colour)))
        if self.out is not None:
            out = self.out.of(colour, self.so_far[colour])
            self.outputs.own[column][colour].copy_(self._added(out, self.inputs.own[column][colour]))

    def _added(self, out: Tensor, inputs: Tensor) -> Tensor:
        """What the layer makes, added to its inputs where it is residual."""
        return out.add_(inputs).clamp_(-self.largest, self.largest) if self.residual else out

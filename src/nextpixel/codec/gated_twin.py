"""The integer twin of the Gated PixelCNN (`nextpixel.nn.gated`)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from nextpixel.codec.fixed_point import IntegerStepper, Twin
from nextpixel.codec.integers import GATE_REACH, ONE, Gate, Part, Rounded
from nextpixel.codec.readout_twin import ReadoutTwin
from nextpixel.models.base import ImageModel
from nextpixel.nn.conditioning import Context
from nextpixel.nn.gated import GatedLayer
from nextpixel.nn.masks import ChannelGroups
from nextpixel.nn.steps.rows_above import RowsAbove
from nextpixel.nn.steps.stepper import FeatureRow, products


def _layers(model: ImageModel) -> list[GatedLayer]:
    return [layer for layer in model.modules() if isinstance(layer, GatedLayer)]


class GatedTwin(Twin):
    """The integers of a Gated PixelCNN; see `Twin`.

    Its activations are, for each layer, the vertical maps before the gate and the horizontal features, then the
    features that the head reads, and those between its two convolutions.
    """

    def __init__(self, model: ImageModel, ranges: Sequence[int], limit: float) -> None:
        super().__init__(model, ranges, limit)
        layers = _layers(model)
        self.layers: list[_Layer] = []
        largest, steps = self.levels - 1, self.levels - 1
        vertical_largest, vertical_steps = largest, steps
        for index, layer in enumerate(layers):
            own = _Layer(self, layer, Part(torch.empty(0), largest, steps), vertical_largest, vertical_steps, index)
            self.layers.append(own)
            largest, steps = self.largest[2 * index + 1], ONE
            vertical_largest, vertical_steps = ONE, ONE
        groups = layers[0].features
        readout_largest = self.largest[-2]
        self.skips = None
        if layers[0].skip:
            # The skips of all layers are one sum.
            weight = torch.cat([layer.out.visible_weight[-groups.channels :, :, 0, 0] for layer in layers], dim=1)
            bias = torch.stack([layer.out.bias[-groups.channels :].double() for layer in layers]).sum(dim=0)
            self.skips = self.sum([Part(weight.double(), ONE)], bias)
        else:
            readout_largest = self.largest[2 * len(layers) - 1]
        readout = next(each for name, each in model.named_children() if name == "readout")
        self.readout = ReadoutTwin(self, readout, readout_largest, self.largest[-1], F.elu)
        self.groups, self.image_groups = groups, layers[0].inputs

    @staticmethod
    def activations(model: ImageModel) -> int:
        """How many ranges the twin needs."""
        return 2 * len(_layers(model)) + 2

    @staticmethod
    def measure(model: ImageModel, inputs: Tensor, context: Context | None) -> list[float]:
        """The largest absolute value of each activation."""
        vertical = horizontal = inputs
        skips: Tensor | None = None
        found: list[float] = []
        for layer in _layers(model):
            pre = layer.vertical(vertical)
            if layer.vertical_condition is not None and context is not None:
                pre = layer.vertical_condition(pre, context)
            vertical, horizontal, skip = layer(vertical, horizontal, context)
            found += [float(pre.abs().max()), float(horizontal.abs().max())]
            if skip is not None:
                skips = skip if skips is None else skips + skip
        maps = horizontal if skips is None else skips
        readout = next(each for name, each in model.named_children() if name == "readout")
        return [*found, *ReadoutTwin.measure(readout, maps)]

    def stepper(
        self, batch: int, width: int, labels: Tensor | None, dtype: torch.dtype | None = None
    ) -> IntegerStepper:
        """See `Twin`."""
        like = torch.zeros(1, dtype=dtype or self.carrier)
        return _Stepper(self, batch, width, torch.zeros(batch, dtype=torch.int64) if labels is None else labels, like)


class _Layer:
    """The integers of one layer."""

    def __init__(
        self, twin: GatedTwin, layer: GatedLayer, inputs: Part, vertical_largest: int, vertical_steps: int, index: int
    ) -> None:
        self.first, self.goes_on = layer.first, layer.goes_on
        self.vertical_largest, self.horizontal_largest = twin.largest[2 * index], twin.largest[2 * index + 1]
        weight = layer.vertical.weight.double()
        self.vertical = twin.sum(
            [Part(weight, vertical_largest, vertical_steps)], layer.vertical.bias, layer.vertical_condition
        )
        link_bias = layer.link.bias
        assert link_bias is not None
        self.horizontal = twin.sum(
            [
                inputs._replace(weight=layer.horizontal.visible_weight.double()),
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
        self.source, self.features = layer.inputs, layer.features


class _Stepper(IntegerStepper):
    def __init__(self, twin: GatedTwin, batch: int, width: int, labels: Tensor, like: Tensor) -> None:
        self.twin = twin
        layers = twin.layers
        reaches = [layer.horizontal.weights[0].shape[3] - 1 for layer in layers]
        self.image = FeatureRow(like, batch, width, twin.image_groups, reaches[0])
        rows = [self.image, *(FeatureRow(like, batch, width, twin.groups, reach) for reach in (*reaches[1:], 0))]
        p = twin.groups.channels
        self.gated = like.new_zeros(width, batch, len(layers) * p)
        self.now = like.new_zeros(batch, len(layers) * p)
        spans = [slice(i * p, i * p + p) for i in range(len(layers))]
        self.layers = [
            _LayerStep(layer, rows[i], rows[i + 1], self.gated[..., span], self.now[:, span], labels, like)
            for i, (layer, span) in enumerate(zip(layers, spans, strict=True))
        ]
        self.last = rows[-1]
        self.skip_round = None
        if twin.skips is not None:
            weight, largest = twin.skips.weights[0].T.to(like), twin.largest[-2]
            owns = [list(twin.groups.of(colour)) for colour in range(len(twin.groups.ends))]
            self.skip_all, self.skip_bias = weight.contiguous(), twin.skips.bias[0].to(like)
            self.skip_round = Rounded(twin.skips.scale, largest, like)
            self.skip_by_colour = [weight[:, own].contiguous() for own in owns]
            self.skip_bias_by_colour = [self.skip_bias[own] for own in owns]
            self.skip_round_by_colour = [Rounded(twin.skips.scale[own], largest, like) for own in owns]
        self.readout = twin.readout.step(batch, like)

    def start_row(self, row: int) -> None:
        finished = self.image.places.transpose(0, 1) if row else None
        for layer in self.layers:
            finished = layer.start_row(finished)

    def whole_row(self, values: Tensor) -> Tensor:
        self.image.places.copy_(values.transpose(1, 2).to(self.image.places).mul_(2).sub_(self.twin.levels - 1))
        for layer in self.layers:
            layer.whole_row()
        if self.skip_round is None:
            maps = self.last.places.transpose(0, 1)
        else:
            maps = self.skip_round(torch.matmul(self.gated, self.skip_all).add_(self.skip_bias))
        return self.readout.whole(maps)

    def predict(self, column: int, colour: int) -> Tensor:
        for layer in self.layers:
            layer.step(column, colour)
        if self.skip_round is None:
            maps = self.last.own[column][colour]
        else:
            bias = self.skip_bias_by_colour[colour]
            maps = self.skip_round_by_colour[colour](torch.addmm(bias, self.now, self.skip_by_colour[colour]))
        return self.readout.read(colour, maps)

    def tell(self, column: int, colour: int, values: Tensor) -> None:
        self.image.own[column][colour][:, 0] = 2 * values - (self.twin.levels - 1)


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
        self.layer, self.inputs, self.outputs, self.gated = layer, inputs, outputs, gated
        batch, width = inputs.places.shape[:2]
        features: ChannelGroups = layer.features
        pair = features.repeat(2)
        order = [channel for colour in range(len(features.ends)) for channel in pair.of(colour)]
        self.back = torch.tensor(order).argsort()
        self.gate = Gate(like)
        self.vertical = RowsAbove(layer.vertical.weights[0].to(like), batch, width)
        self.vertical_bias = _of_labels(layer.vertical.bias, labels).to(like)
        self.vertical_round = Rounded(layer.vertical.scale, layer.vertical_largest, like)
        self.maps = like.new_zeros(width, batch, pair.channels)
        weight, link = (each.to(like) for each in layer.horizontal.weights)
        self.link = link[order].T.contiguous()
        self.base_bias = _of_labels(layer.horizontal.bias, labels)[:, order].to(like)
        self.base = like.new_zeros(width, batch, pair.channels)
        scale = layer.horizontal.scale[order]
        self.horizontal_round = Rounded(scale, GATE_REACH, like)
        self.matrices = products(weight, layer.source, pair, own=not layer.first)
        self.taps = weight[order, :, -1].permute(2, 1, 0).contiguous()
        self.seen = inputs.before if layer.first else inputs.seen
        spans = [slice(2 * a, 2 * b) for a, b in zip((0, *features.ends[:-1]), features.ends, strict=True)]
        self.bases = [[row[:, span] for span in spans] for row in self.base]
        self.rounds = [Rounded(scale[span], GATE_REACH, like) for span in spans]
        self.own = [now[:, a:b] for a, b in zip((0, *features.ends[:-1]), features.ends, strict=True)]
        self.so_far = [now[:, :end] for end in features.ends]
        if layer.out is not None:
            out = layer.out.weights[0].T.to(like)
            self.out_all, self.out_bias_all = out.contiguous(), layer.out.bias[0].to(like)
            largest = layer.horizontal_largest
            self.out_round_all = Rounded(layer.out.scale, largest, like)
            owns = [list(features.of(colour)) for colour in range(len(features.ends))]
            self.out = [out[:end, own].contiguous() for end, own in zip(features.ends, owns, strict=True)]
            self.out_bias = [self.out_bias_all[own] for own in owns]
            self.out_rounds = [Rounded(layer.out.scale[own], largest, like) for own in owns]

    def start_row(self, finished: Tensor | None) -> Tensor | None:
        self.base.copy_(self.base_bias)
        if finished is None:
            return None
        self.vertical.add_row().copy_(finished)
        self.maps.copy_(self.vertical_bias)
        self.vertical.add_to(self.maps)
        maps = self.vertical_round(self.maps)
        self.base.view(-1, maps.shape[2]).addmm_(maps.view(-1, maps.shape[2]), self.link)
        return self.gate(maps.clamp(-GATE_REACH, GATE_REACH))

    def whole_row(self) -> None:
        width = len(self.base)
        for tap, matrix in enumerate(self.taps):
            self.base.add_(torch.matmul(self.inputs.buffer[:, tap : tap + width].transpose(0, 1), matrix))
        maps = self.horizontal_round(self.base)
        self.gated.copy_(self.gate(maps.index_select(-1, self.back)))
        if self.layer.out is not None:
            out = self.out_round_all(torch.matmul(self.gated, self.out_all).add_(self.out_bias_all)).transpose(0, 1)
            largest = self.layer.horizontal_largest
            added = out if self.layer.first else (out + self.inputs.places).clamp_(-largest, largest)
            self.outputs.places.copy_(added)

    def step(self, column: int, colour: int) -> None:
        maps = torch.addmm(self.bases[column][colour], self.seen[column][colour], self.matrices[colour])
        self.own[colour].copy_(self.gate(self.rounds[colour](maps)))
        if self.layer.out is not None:
            out = self.out_rounds[colour](torch.addmm(self.out_bias[colour], self.so_far[colour], self.out[colour]))
            if not self.layer.first:
                largest = self.layer.horizontal_largest
                out = out.add_(self.inputs.own[column][colour]).clamp_(-largest, largest)
            self.outputs.own[column][colour].copy_(out)


def _of_labels(biases: Tensor, labels: Tensor) -> Tensor:
    """The biases of each image, `[B, outputs]`."""
    return biases[labels] if len(biases) > 1 else biases.expand(len(labels), -1)

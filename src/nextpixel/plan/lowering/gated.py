"""The lowering of the Gated PixelCNN (`nextpixel.nn.gated`)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from nextpixel.nn.masks import ChannelGroups
from nextpixel.plan.integers import GATE_REACH, ONE
from nextpixel.plan.lowering.builder import Builder, Kernel
from nextpixel.plan.lowering.head import exponential_unit, lower_head
from nextpixel.plan.operations import Add, Gate, Program, Shift
from nextpixel.plan.stored_model import StoredModel


def ranges_of_gated(model: StoredModel) -> int:
    """How many ranges there are: for each layer the vertical maps and the features, then those of the head."""
    return 2 * int(model.option("layers")) + 2


def lower_gated(model: StoredModel, ranges: Sequence[int], limit: float, head_limit: float) -> Program:
    """The program of a Gated PixelCNN."""
    builder = Builder(model, ranges, limit, head_limit)
    layers, skips = int(model.option("layers")), bool(model.option("skips"))
    features = ChannelGroups.split(len(model.doubles("layers.0.link.bias")) // 2, builder.colours)
    p, pair = features.channels, features.repeat(2)
    # Sources of both stacks: the map, its colours, its bound and its steps.
    vertical = horizontal = ("image", builder.image, builder.image_largest, builder.image_steps)
    skip_kernels, skip_bias = [], np.zeros(p)
    for layer in range(layers):
        name = f"layers.{layer}"
        vertical_bound, bound = builder.bounds[2 * layer : 2 * layer + 2]
        weight = model.doubles(f"{name}.vertical.weight")
        kernel = Kernel(
            vertical[0], weight, 1 - weight.shape[2], -(weight.shape[3] // 2), *vertical[2:], hidden_right=False
        )
        bias = model.doubles(f"{name}.vertical.bias")
        biases = builder.conditions(bias, f"{name}.vertical_condition")
        made = builder.sum(f"{name}.vertical", pair, [kernel], biases, vertical_bound)
        above = builder.add(Shift(f"{name}.above", pair, made))
        gated = builder.add(Gate(f"{name}.vertical.gated", features, made))
        weight = builder.masked(f"{name}.horizontal", horizontal[1], pair, "B" if layer else "A")
        kernels = [
            Kernel(horizontal[0], weight, 0, 1 - weight.shape[3], *horizontal[2:]),
            Kernel(above, model.doubles(f"{name}.link.weight"), 0, 0, vertical_bound),
        ]
        bias = model.doubles(f"{name}.horizontal.bias") + model.doubles(f"{name}.link.bias")
        biases = builder.conditions(bias, f"{name}.horizontal_condition")
        made = builder.sum(f"{name}.horizontal", pair, kernels, biases, GATE_REACH)
        active = builder.add(Gate(f"{name}.gated", features, made))
        goes_on = not (skips and layer == layers - 1)
        out = builder.masked(f"{name}.out", features, pair if skips and goes_on else features, "B")
        out_bias = model.doubles(f"{name}.out.bias")
        if skips:
            skip_kernels.append(Kernel(active, out[-p:], 0, 0, ONE))
            # One after the other: a reduction adds in an order of its own on every machine.
            skip_bias = out_bias[-p:] if layer == 0 else skip_bias + out_bias[-p:]
        if goes_on:
            biases = builder.conditions(out_bias[:p])
            made = builder.sum(f"{name}.out", features, [Kernel(active, out[:p], 0, 0, ONE)], biases, bound)
            if layer:
                made = builder.add(Add(f"{name}.features", features, made, horizontal[0], bound))
            horizontal = (made, features, bound, ONE)
        vertical = (gated, features, ONE, ONE)
    read, read_bound = horizontal[0], builder.bounds[2 * layers - 1]
    if skips:
        read_bound = builder.bounds[-2]
        read = builder.sum("skips", features, skip_kernels, builder.conditions(skip_bias), read_bound)
    lower_head(builder, read, features, read_bound, builder.bounds[-1], exponential_unit)
    return builder.program()

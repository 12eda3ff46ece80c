"""The lowering of the Gated PixelCNN (`nextpixel.nn.gated`)."""

from __future__ import annotations

from nextpixel.nn.masks import ChannelGroups
from nextpixel.plan.lowering.builder import Builder, Kernel
from nextpixel.plan.lowering.head import lower_head
from nextpixel.plan.lowering.layer_outputs import LayerOutputs
from nextpixel.plan.operations import Program


def lower_gated(builder: Builder) -> Program:
    """The program of a Gated PixelCNN.

    Its bounds are, for each layer, those of the vertical maps and of the features, then those of the head.
    """
    model = builder.model
    layers, skips = model.integer("layers"), bool(model.option("skips"))
    features = ChannelGroups.split(len(model.doubles("layers.0.link.bias")) // 2, builder.colours)
    pair = features.repeat(2)
    vertical = horizontal = builder.image
    outputs = LayerOutputs(builder, features, skips=skips)
    for layer in range(layers):
        name = f"layers.{layer}"
        goes_on = not (skips and layer == layers - 1)
        vertical_bound = builder.bound(f"{name}.vertical")
        made_name = f"{name}.features" if layer else f"{name}.out"
        bound = builder.bound(made_name if goes_on else horizontal.name)
        weight = model.doubles(f"{name}.vertical.weight")
        rows, columns = weight.shape[2:]
        kernel = Kernel(vertical, weight, 1 - rows, -(columns // 2), hidden_right=False)
        bias = model.doubles(f"{name}.vertical.bias")
        made = builder.sum(f"{name}.vertical", pair, [kernel], bias, vertical_bound, f"{name}.vertical_condition")
        above = builder.shift(f"{name}.above", made)
        gated = builder.gate(f"{name}.vertical.gated", features, made)
        weight = builder.masked(f"{name}.horizontal", horizontal.groups, pair, "B" if layer else "A")
        kernels = [
            Kernel(horizontal, weight, column=1 - weight.shape[3]),
            Kernel(above, model.doubles(f"{name}.link.weight")),
        ]
        bias = model.doubles(f"{name}.horizontal.bias") + model.doubles(f"{name}.link.bias")
        condition = f"{name}.horizontal_condition"
        made = builder.sum(f"{name}.horizontal", pair, kernels, bias, builder.gate_bound, condition)
        active = builder.gate(f"{name}.gated", features, made)
        out = outputs.convolution(f"{name}.out", active, bound, goes_on=goes_on)
        if out is not None:
            horizontal = builder.plus(f"{name}.features", out, horizontal, bound) if layer else out
        vertical = gated
    lower_head(builder, outputs.read_by_head(horizontal), builder.exponential_unit)
    return builder.program()

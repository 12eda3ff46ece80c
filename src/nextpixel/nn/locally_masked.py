"""Locally masked convolutions (Jain et al. 2020, arXiv 2006.12486): masks that differ from place to place.

    y_p = b + sum over taps t of W_t x_{p+t} [p+t comes before p]          (or is p itself, but for the first layer)

The order of pixels is data, and the weights are the same for all orders. With a channel of ones among the inputs of the
first layer, a network sees which of its neighbours are there.
"""

from __future__ import annotations

from typing import ClassVar, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nextpixel.nn.conditioning import ConditionBias, Context, ContextSizes
from nextpixel.nn.gated_residual import RESIDUAL_GAIN
from nextpixel.nn.initialisation import has_values


class Window(NamedTuple):
    """A square of taps around a pixel.

    Attributes:
        kernel_size: its odd side, in taps.
        dilation: pixels from a tap to the next.
        strict: whether a pixel does not see itself: in the first layer.
    """

    kernel_size: int
    dilation: int
    strict: bool

    @property
    def reach(self) -> int:
        """Pixels from the centre to the edge."""
        return self.kernel_size // 2 * self.dilation

    def neighbours(self, height: int, width: int, device: torch.device) -> Tensor:
        """The pixel of each tap of each pixel, int64 `[taps, H * W]`; H * W for one outside the image."""
        count = height * width
        pixels = torch.arange(count, device=device, dtype=torch.float64).view(1, 1, height, width)
        pixels = F.pad(pixels, (self.reach,) * 4, value=count)
        return F.unfold(pixels, self.kernel_size, dilation=self.dilation)[0].long()

    def visible(self, neighbours: Tensor, ranks: Tensor) -> Tensor:
        """Which taps are seen, bool `[taps, H * W]`, given `neighbours` and the ranks of the pixels, `[H * W]`."""
        after_all = ranks.new_full((1,), len(ranks))
        others = torch.cat([ranks, after_all])[neighbours]
        return others < ranks if self.strict else others <= ranks


class LocallyMaskedConv2d(nn.Module):
    """A convolution whose taps are seen or not at each place by itself; it keeps the size of the map.

    Args:
        inputs: input maps.
        outputs: output maps.
        window: its taps.
        gain: factor on the initial weights, beyond what keeps the deviation.
    """

    def __init__(self, inputs: int, outputs: int, window: Window, gain: float = 1.0) -> None:
        super().__init__()
        self.window = window
        taps = window.kernel_size**2
        self.weight = nn.Parameter(torch.empty(outputs, inputs, taps))
        self.bias = nn.Parameter(torch.zeros(outputs))
        if has_values(self.weight):
            with torch.no_grad():
                # About half of the taps come before a pixel.
                self.weight.normal_().mul_(gain / (inputs * (taps + 1) / 2) ** 0.5)

    def forward(self, maps: Tensor, visible: Tensor) -> Tensor:
        """Convolve the whole map.

        Args:
            maps: `[B, inputs, H, W]`.
            visible: which taps are seen, bool `[taps, H * W]`.
        """
        batch, inputs, height, width = maps.shape
        window = self.window
        columns = F.unfold(maps, window.kernel_size, dilation=window.dilation, padding=window.reach)
        columns = columns.view(batch, inputs, *visible.shape) * visible.to(columns.dtype)
        # By `@` PyTorch would lay all columns out anew, to make one product of those of all images.
        weight = self.weight.flatten(1).expand(batch, -1, -1)
        result = torch.baddbmm(self.bias[:, None], weight, columns.flatten(1, 2))
        return result.view(batch, len(self.bias), height, width)


class LocallyMaskedResidual(nn.Module):
    """A gated residual layer of locally masked convolutions: `[B, maps, H, W]` to the same shape.

        x' = x + f . sigmoid(g),     f, g = conv(act(conv(act(x)))) + V h

    Args:
        maps: how many there are.
        window: of both convolutions.
        dropout: probability of zeroing one of the maps between the convolutions in training.
        context: channels of the conditions' context; None without conditions.
    """

    PARTS: ClassVar = {
        "activation": nn.ELU,
        "first": LocallyMaskedConv2d,
        "dropout": nn.Dropout,
        "second": LocallyMaskedConv2d,
        "condition": ConditionBias,
    }

    def __init__(self, maps: int, window: Window, *, dropout: float, context: ContextSizes | None) -> None:
        super().__init__()
        self.window = window
        self.activation = nn.ELU()
        self.first = LocallyMaskedConv2d(maps, maps, window)
        self.dropout = nn.Dropout(dropout)
        self.second = LocallyMaskedConv2d(maps, 2 * maps, window, gain=RESIDUAL_GAIN)
        self.condition = ConditionBias(context, 2 * maps) if context else None

    def forward(self, maps: Tensor, visible: Tensor, context: Context | None) -> Tensor:
        """Run over the whole map; `visible` as in `LocallyMaskedConv2d`."""
        between = self.first(self.activation(maps), visible)
        gates = self.second(self.dropout(self.activation(between)), visible)
        if self.condition is not None and context is not None:
            gates = self.condition(gates, context)
        return maps + F.glu(gates, dim=1)

"""A Gated PixelCNN as tutorials write it, to compare the speed of training with.

Two stacks of square kernels that are multiplied by their masks at every call, float32, PyTorch's default memory layout,
no compiler. It has the layers of nextpixel's network (a first 7x7 kernel, skips from every layer, two 1x1 convolutions
at the end) and exactly as many weights that no mask hides.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class MaskedConv(nn.Conv2d):
    """A convolution that keeps the map's size and sees the rows above and, of its own row, what lies to the left.

    Args:
        inputs: input maps.
        outputs: output maps.
        kernel_size: height and width of the kernel, odd.
        row: how much of the kernel's centre row is seen: all of it, up to the centre, or only what is left of it.
    """

    mask: Tensor

    def __init__(self, inputs: int, outputs: int, kernel_size: tuple[int, int], row: str) -> None:
        height, width = kernel_size
        super().__init__(inputs, outputs, kernel_size, padding=(height // 2, width // 2))
        mask = torch.ones(height, width)
        mask[height // 2 + 1 :] = 0
        mask[height // 2, {"all": width, "centre": width // 2 + 1, "left": width // 2}[row] :] = 0
        self.register_buffer("mask", mask)

    def forward(self, maps: Tensor) -> Tensor:
        """Convolve with the masked kernel."""
        return F.conv2d(maps, self.weight * self.mask, self.bias, padding=self.padding)

    @property
    def visible(self) -> int:
        """Parameters that the mask does not hide."""
        assert self.bias is not None
        return int(self.mask.sum()) * self.in_channels * self.out_channels + self.bias.numel()


class GatedLayer(nn.Module):
    """A layer of the two stacks (arXiv 1606.05328, figure 2)."""

    def __init__(self, inputs: int, features: int, kernel_size: int, *, first: bool, last: bool) -> None:
        super().__init__()
        self.first, self.last = first, last
        self.vertical = MaskedConv(inputs, 2 * features, (kernel_size, kernel_size), "all")
        self.horizontal = MaskedConv(inputs, 2 * features, (1, kernel_size), "left" if first else "centre")
        self.vertical_to_horizontal = nn.Conv2d(2 * features, 2 * features, 1)
        self.residual = None if last else nn.Conv2d(features, features, 1)
        self.skip = nn.Conv2d(features, features, 1)

    def forward(self, vertical: Tensor, horizontal: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The two stacks' maps for the next layer, and the maps for the output."""
        vertical = self.vertical(vertical)
        above = F.pad(vertical, (0, 0, 1, 0))[:, :, :-1]
        gated = self.gate(self.horizontal(horizontal) + self.vertical_to_horizontal(above))
        skip = self.skip(gated)
        if self.residual is None:
            return vertical, horizontal, skip
        out = self.residual(gated)
        return self.gate(vertical), out if self.first else out + horizontal, skip

    @staticmethod
    def gate(maps: Tensor) -> Tensor:
        """The tanh of one half of the maps times sigmoid of the other."""
        features, gates = maps.chunk(2, dim=1)
        return torch.tanh(features) * torch.sigmoid(gates)


class TextbookGatedPixelCNN(nn.Module):
    """The network for grey images.

    Args:
        levels: values that a pixel can take.
        features: maps of each stack.
        layers: number of gated layers.
        kernel_size: odd side of the kernels but the first layer's, which is 7.
    """

    def __init__(self, levels: int, features: int, layers: int, kernel_size: int = 3) -> None:
        super().__init__()
        self.levels = levels
        self.layers = nn.ModuleList(
            GatedLayer(
                features if index else 1,
                features,
                kernel_size if index else 7,
                first=index == 0,
                last=index == layers - 1,
            )
            for index in range(layers)
        )
        self.hidden, self.output = nn.Conv2d(features, features, 1), nn.Conv2d(features, levels, 1)

    def log_prob(self, images: Tensor) -> Tensor:
        """Nats of each image, `[B]`, of integers `[B, 1, H, W]`."""
        vertical = horizontal = images.float() / (self.levels - 1) * 2 - 1
        total = torch.zeros((), device=images.device)
        for layer in self.layers:
            vertical, horizontal, skip = layer(vertical, horizontal)
            total = total + skip
        logits = self.output(F.elu(self.hidden(F.elu(total))))
        return -F.cross_entropy(logits, images[:, 0].long(), reduction="none").flatten(1).sum(1)

    @property
    def visible(self) -> int:
        """Parameters that no mask hides."""
        hidden = [each for each in self.modules() if isinstance(each, MaskedConv)]
        stored = sum(each.weight.numel() + each.bias.numel() for each in hidden if each.bias is not None)
        return sum(each.numel() for each in self.parameters()) - stored + sum(each.visible for each in hidden)

"""benchmarks/arithmetic.py: what it counts is what can be told by hand."""

import pytest
import torch

from helpers.scripts import load_script
from nextpixel.nn.causal_attention import CausalAttention, places_of
from nextpixel.nn.locally_masked import LocallyMaskedConv2d, Window
from nextpixel.nn.masked_conv import MaskedConv2d
from nextpixel.nn.masks import ChannelGroups
from nextpixel.nn.shifted import GrowingConv2d, ShiftedConv2d

HEIGHT, WIDTH = 6, 5
PLACES = HEIGHT * WIDTH


@pytest.fixture(scope="module")
def arithmetic():
    return load_script("benchmarks/arithmetic.py")


class OneLayer(torch.nn.Module):
    """What `count` asks of a model, around one layer."""

    levels, image_shape = 2, (1, HEIGHT, WIDTH)

    def __init__(self, layer, *arguments):
        super().__init__()
        self.layer, self.arguments = layer, arguments

    def log_prob(self, images):
        return self.layer(images.float(), *self.arguments).flatten(1).sum(1)


def multiplications(arithmetic, layer, *arguments):
    """Those of a forward pass over one image."""
    torch.manual_seed(0)
    return arithmetic.count(OneLayer(layer, *arguments)).flop / 2 / (1 + arithmetic.BACKWARD)


def test_taps_that_a_mask_hides_do_not_count(arithmetic):
    layer = MaskedConv2d(ChannelGroups.split(1, 1), ChannelGroups.split(4, 1), "A", rows_above=1, reach=1)
    assert multiplications(arithmetic, layer) == PLACES * 4 * 4


def test_a_halving_convolution_has_the_places_of_what_it_gives(arithmetic):
    layer = ShiftedConv2d(1, 4, above=1, left=1, right=1, stride=2)
    assert multiplications(arithmetic, layer) == 3 * 3 * (4 * 2 * 3)


def test_a_doubling_convolution_meets_its_weights_once_a_place(arithmetic):
    """Of the doubled map every place has one tap, and each coarse place all four."""
    assert multiplications(arithmetic, GrowingConv2d(1, right=False), (2 * HEIGHT, 2 * WIDTH)) == 4 * PLACES


@pytest.mark.parametrize("strict", [True, False])
def test_a_locally_masked_convolution_counts_the_taps_that_are_seen(arithmetic, strict):
    window = Window(3, 2, strict=strict)
    ranks = torch.randperm(PLACES, generator=torch.Generator().manual_seed(0))
    visible = window.visible(window.neighbours(HEIGHT, WIDTH, torch.device("cpu")), ranks)
    rank = ranks.view(HEIGHT, WIDTH).tolist()
    seen = 0
    for row in range(HEIGHT):
        for column in range(WIDTH):
            for r in (row - 2, row, row + 2):
                for c in (column - 2, column, column + 2):
                    inside = 0 <= r < HEIGHT and 0 <= c < WIDTH
                    seen += inside and rank[r][c] < rank[row][column] + (not strict)
    assert multiplications(arithmetic, LocallyMaskedConv2d(1, 4, window), visible) == seen * 4


def test_only_the_locally_masked_convolutions_have_such_taps(arithmetic):
    """What comes after one counts as a whole."""

    class Two(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.first = LocallyMaskedConv2d(1, 4, Window(1, 1, strict=True))
            self.second = torch.nn.Linear(PLACES, 3, bias=False)

        def forward(self, maps, visible):
            return self.second(self.first(maps, visible).flatten(2))

    nothing = torch.zeros(1, PLACES, dtype=torch.bool)
    assert multiplications(arithmetic, Two(), nothing) == 4 * PLACES * 3


@pytest.mark.parametrize(("heads", "keys", "values"), [(1, 4, 4), (2, 3, 5), (2, 5, 3)])
def test_attention_counts_the_pixels_before_and_no_padding(arithmetic, heads, keys, values):
    class Attention(torch.nn.Module):
        def __init__(self):
            super().__init__()
            sizes = {"heads": heads, "key_features": keys, "value_features": values}
            self.attention = CausalAttention(1, 1, **sizes, dropout=0.0, context=None)

        def forward(self, maps):
            return self.attention(maps, maps, places_of(HEIGHT, WIDTH))

    layer = Attention()
    pointwise = sum(weight.numel() for name, weight in layer.named_parameters() if name.endswith("weight"))
    # A pixel sees those before it, and the start.
    attention = heads * PLACES * (PLACES + 1) // 2 * (keys + values)
    assert multiplications(arithmetic, layer) == PLACES * pointwise + attention

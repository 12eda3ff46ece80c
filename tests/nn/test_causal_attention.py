"""Causal attention: to pixels strictly before, the first of which sees nothing but the start."""

import math

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from nextpixel.nn.causal_attention import CausalAttention, after_a_start, places_of


def made(heads=2, key_features=3, value_features=2, maps=4, image=1):
    torch.manual_seed(0)
    return CausalAttention(
        maps,
        image,
        heads=heads,
        key_features=key_features,
        value_features=value_features,
        dropout=0.0,
        context=None,
    ).double()


def inputs(height, width, batch=2):
    generator = torch.Generator().manual_seed(1)
    maps = torch.randn(batch, 4, height, width, generator=generator, dtype=torch.float64)
    image = torch.randn(batch, 1, height, width, generator=generator, dtype=torch.float64)
    return maps, image, places_of(height, width).double()


def by_definition(attention, maps, image, places):
    """The sum over the pixels before, written out; of the first pixel it is empty."""
    batch, _, height, width = maps.shape
    places = places.expand(batch, -1, -1, -1)
    memory = attention.memory(attention.remember(torch.cat([image, maps, places], dim=1))).flatten(2)
    queries = attention.query(attention.ask(torch.cat([maps, places], dim=1))).flatten(2)
    heads, d, v = attention.heads, attention.key_features, attention.value_features
    result = torch.zeros(batch, heads * v, height * width, dtype=maps.dtype)
    for head in range(heads):
        keys = memory[:, head * d : (head + 1) * d]
        values = memory[:, heads * d + head * v : heads * d + (head + 1) * v]
        asked = queries[:, head * d : (head + 1) * d]
        for t in range(height * width):
            # The start weighs exp(0) and has the value 0.
            weights = (torch.einsum("bds,bd->bs", keys[..., :t], asked[..., t]) / math.sqrt(d)).exp()
            mixed = torch.einsum("bs,bvs->bv", weights, values[..., :t])
            result[:, head * v : (head + 1) * v, t] = mixed / (1 + weights.sum(1, keepdim=True))
    return attention.out(maps, result.view(batch, -1, height, width))


@pytest.mark.parametrize("sizes", [(1, 4, 4), (2, 3, 5), (3, 5, 2), (1, 1, 1)])
@pytest.mark.parametrize("shape", [(3, 5), (1, 7), (5, 1), (1, 1)])
def test_it_is_what_its_definition_says(sizes, shape):
    attention = made(*sizes)
    maps, image, places = inputs(*shape)
    torch.testing.assert_close(attention(maps, image, places), by_definition(attention, maps, image, places))


class Called(TorchDispatchMode):
    """The names of what PyTorch really calls."""

    def __init__(self):
        super().__init__()
        self.names = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        self.names.append(func.name())
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize("sizes", [(1, 4, 4), (2, 3, 5), (2, 5, 3), (4, 2, 2)])
def test_it_keeps_no_weights_of_all_pairs_whatever_the_sizes(sizes):
    """PyTorch falls back to a matrix of all pairs, without a word, for a layout that its kernels do not know."""
    attention = made(*sizes).float()
    with Called() as called:
        attention(*(part.float() for part in inputs(3, 5)))
    assert not {name for name in called.names if "mm" in name}
    assert any("_scaled_dot_product" in name for name in called.names)


def test_a_sequence_moves_on_by_one_place():
    sequence = torch.arange(1.0, 7).view(1, 3, 2)
    assert after_a_start(sequence).tolist() == [[[0, 0], [1, 2], [3, 4]]]


def test_places_are_told_from_edge_to_edge():
    places = places_of(3, 5)
    assert places[0, 0, :, 0].tolist() == [-1, 0, 1] and places[0, 1, 0].tolist() == [-1, -0.5, 0, 0.5, 1]
    assert places_of(1, 1).flatten().tolist() == [-1, -1]

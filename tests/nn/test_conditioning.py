import math

import pytest
import torch

import nextpixel as nx
from helpers.tiny_models import everything, seeded
from nextpixel.errors import ModelError
from nextpixel.nn.conditioning import ConditionBias, Conditioning, Context, ContextSizes, Standardise, Upsampling


def test_each_condition_has_its_own_channels():
    shape = (1, 5, 6)
    conditioning = Conditioning(everything(shape), shape[1:], features=4).double()
    assert conditioning.sizes == ContextSizes(3 + 2, 4, 1 + 2)
    values = {
        "kind": torch.tensor([2, 0]),
        "numbers": torch.tensor([[5.0, 6.0], [7.0, 8.0]]),
        "places": torch.randn(2, 2, 3, 3),
    }
    context = conditioning(values, torch.float64)
    assert context.vector.tolist() == [[0, 0, 1, 5, 6], [1, 0, 0, 7, 8]]
    assert context.places.shape == (2, 4, 5, 6) and context.places.dtype == torch.float64


def test_without_conditions_of_a_kind_its_part_is_none():
    labels = Conditioning({"labels": nx.Labels(3)}, (4, 4), 4)
    assert labels({"labels": torch.tensor([1])}, torch.float32).places is None
    maps = Conditioning({"map": nx.Map(1, (2, 2))}, (4, 4), 4)
    assert maps({"map": torch.zeros(1, 1, 2, 2)}, torch.float32).vector is None


@pytest.mark.parametrize("size", [(1, 1), (2, 3), (4, 7), (5, 7), (3, 2)])
@pytest.mark.parametrize("image_size", [(5, 7), (12, 9), (28, 28)])
def test_upsampling_reaches_the_size_of_any_image_and_sees_what_it_says(size, image_size):
    module = Upsampling(2, 3, size, image_size).double()
    maps = torch.randn(1, 2, *size, dtype=torch.float64, requires_grad=True)
    fine = module(maps)
    assert fine.shape == (1, 3, *image_size)
    rows, columns = module.reach()
    for row, column in [(0, 0), (image_size[0] - 1, image_size[1] - 1), (image_size[0] // 2, image_size[1] // 3)]:
        (gradient,) = torch.autograd.grad(fine[0, :, row, column].sum(), maps, retain_graph=True)
        expected = rows[row][:, None] & columns[column][None, :]
        assert torch.equal((gradient[0] != 0).any(dim=0), expected)
        # A place sees at least the coarse place that it is a part of.
        strides = [math.ceil(large / small) for large, small in zip(image_size, size, strict=True)]
        assert expected[row // strides[0], column // strides[1]]


def test_a_map_larger_than_the_image_is_refused():
    with pytest.raises(ModelError, match="larger than the image"):
        nx.build("gated-pixelcnn", image_shape=(1, 4, 4), condition=nx.Map(1, (5, 4)))


def test_upsampling_keeps_the_deviation_of_its_maps():
    torch.manual_seed(0)
    fine = Upsampling(2, 64, (7, 7), (28, 28))(torch.randn(8, 2, 7, 7))
    assert 0.3 < fine.std() < 2


def test_joined_to_a_convolution_or_added_to_its_maps_is_the_same():
    torch.manual_seed(0)
    bias = ConditionBias(ContextSizes(3, 2, 3), outputs=5).double()
    context = Context(torch.randn(4, 3).double(), torch.randn(4, 2, 6, 7).double())
    inputs, weight = torch.randn(4, 8, 6, 7).double(), torch.randn(5, 8).double()
    own = torch.randn(5, 1).double()
    added = bias(torch.nn.functional.conv2d(inputs, weight[:, :, None, None]) + own[:, :, None], context)
    joined_inputs, joined_weight, joined_bias = bias.join(inputs, weight, own, context)
    joined = torch.nn.functional.conv2d(joined_inputs, joined_weight[:, :, None, None])
    torch.testing.assert_close(joined + joined_bias.T[:, :, None, None], added)


def test_what_a_new_condition_adds_is_felt_and_does_not_saturate():
    torch.manual_seed(0)
    for count in (1, 10, 1000):
        sizes = Conditioning({"labels": nx.Labels(count), "map": nx.Map(1, (2, 2))}, (4, 4), 16).sizes
        bias = ConditionBias(sizes, outputs=400)
        of_labels = bias.everywhere(Context(torch.nn.functional.one_hot(torch.arange(count)).float(), None))
        assert 0.25 < of_labels.std() < 0.35
        context = Context(None, torch.randn(10, 16, 4, 4))
        assert 0.25 < bias(torch.zeros(10, 400, 4, 4), context).std() < 0.35
    bias = ConditionBias(Conditioning({"v": nx.Vector(50)}, (4, 4), 1).sizes, outputs=400)
    assert 0.25 < bias.everywhere(Context(torch.randn(10, 50), None)).std() < 0.35


def test_vectors_are_standardised_by_those_of_training():
    vectors = torch.randn(500, 3, generator=seeded()) * torch.tensor([1.0, 100.0, 0.0]) + torch.tensor([0.0, -7.0, 3.0])
    module = Standardise(3)
    assert torch.equal(module(vectors), vectors)
    module.fit(vectors)
    standard = module(vectors)
    torch.testing.assert_close(standard.mean(0), torch.zeros(3), atol=1e-5, rtol=0)
    torch.testing.assert_close(standard.std(0, correction=0), torch.tensor([1.0, 1.0, 0.0]), atol=1e-5, rtol=0)
    module.fit(3 * vectors)
    assert torch.equal(module(vectors), standard)


@pytest.mark.parametrize("side", [31, 61, 127])
def test_a_large_prime_enlargement_does_not_take_a_large_deconvolution(side):
    module = Upsampling(1, 8, (1, 1), (side, side))
    assert module(torch.zeros(1, 1, 1, 1)).shape == (1, 8, side, side)
    assert sum(each.numel() for each in module.parameters()) < 50_000

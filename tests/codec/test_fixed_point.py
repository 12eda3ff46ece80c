import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import nextpixel as nx
from helpers.tiny_models import few, noise, seeded, sharper, tiny
from nextpixel.codec.fixed_point import calibrate, fixed_point
from nextpixel.codec.images import decode, encode, shares_of
from nextpixel.codec.integers import LEAST_WEIGHT_BITS, NARROW_LIMIT, Part, integer_sum
from nextpixel.errors import DataError, ModelError

FAMILIES = ["gated-pixelcnn", "pixelcnn"]
OPTIONS = [{}, {"skips": False}, {"skips": True}, {"residual": False}, {"kernel_size": 5}, {"condition": nx.Labels(3)}]
OPTIONS += [{"level_features": 3}]


def made(family, shape, levels, **options):
    return sharper(tiny(family, shape, levels, default_condition=False, **options), 1.0).eval()


def twin_and_images(family, shape, levels, count, seed=0, **options):
    model = made(family, shape, levels, **options)
    images = noise(model, count, seed)
    labels = torch.arange(count) % 3 if "condition" in options else None
    return model, fixed_point(model, calibrate(model, images, labels)), images, labels


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("option", OPTIONS, ids=str)
@few
@given(
    shape=st.sampled_from([(1, 5, 7), (3, 6, 4), (2, 1, 3), (4, 3, 1), (1, 1, 1)]),
    levels=st.sampled_from([2, 5, 256]),
    lanes=st.integers(1, 5),
    batch_size=st.sampled_from([1, 2, None]),
    dtypes=st.permutations([torch.float32, torch.float64]),
)
def test_both_computations_are_equal_to_the_bit(family, option, shape, levels, lanes, batch_size, dtypes):
    """What whole rows encode is decoded step by step: other batches, another carrier."""
    if family == "gated-pixelcnn" and "residual" in option:
        pytest.skip("the family has no such option")
    _, twin, images, labels = twin_and_images(family, shape, levels, 5, **option)
    if twin.carrier == torch.float64:
        dtypes = [torch.float64, torch.float64]
    shares = shares_of(twin, images, labels, dtype=dtypes[0])
    others = shares_of(twin, images, labels, dtype=dtypes[1], batch_size=batch_size)
    assert (shares.starts == others.starts).all() and (shares.frequencies == others.frequencies).all()
    streams, _ = encode(shares, lanes)
    found = decode(twin, streams, tuple(images.shape), labels, dtype=dtypes[1], batch_size=batch_size)
    assert torch.equal(found, images)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("threads", [1, 2])
def test_threads_and_memory_layout_change_nothing(family, threads):
    model, twin, images, _ = twin_and_images(family, (3, 12, 16), 256, 7)
    expected = shares_of(twin, images).frequencies
    ranges = [int(math.log2(largest)) - 8 for largest in twin.largest]
    torch.set_num_threads(threads)
    again = fixed_point(model.to(memory_format=torch.channels_last), ranges)
    channels_last = images.contiguous(memory_format=torch.channels_last)
    for batch_size in (1, 7, 64):
        assert (shares_of(again, channels_last, batch_size=batch_size).frequencies == expected).all()


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("levels", [2, 256])
@pytest.mark.parametrize("level_features", [0, 3])
def test_the_twin_costs_hardly_more_than_the_model(family, levels, level_features):
    model = tiny(family, (3, 8, 8), levels, layers=4, level_features=level_features).eval()
    images = model.sample(20, generator=seeded())
    twin = fixed_point(model, calibrate(model, images))
    with torch.no_grad():
        bits = -model.log_prob(images).double().sum() / math.log(2)
    assert abs(shares_of(twin, images).bits.sum() / float(bits) - 1) < 0.005


@few
@given(scale=st.floats(0.001, 300), largest=st.integers(1, 5000), inputs=st.integers(1, 200), seed=st.integers(0, 99))
def test_no_sum_can_leave_the_range_that_is_exact(scale, largest, inputs, seed):
    generator = torch.Generator().manual_seed(seed)
    weight = scale * torch.randn(7, inputs, generator=generator, dtype=torch.float64)
    bias = scale * torch.randn(2, 7, generator=generator, dtype=torch.float64)
    found = integer_sum([Part(weight, largest)], bias, NARROW_LIMIT)
    inside = found.bits >= 0
    worst = found.weights[0].abs().sum(dim=1) * largest + found.bias.abs().amax(dim=0)
    assert (worst[inside] < NARROW_LIMIT).all()
    for each in (found.weights[0], found.bias):
        assert torch.equal(each, each.round())
    # The worst input really gives the worst sum, and float32 holds it.
    if inside.all():
        inputs_worst = found.weights[0].sign() * largest
        sums = (found.weights[0].float() * inputs_worst.float()).sum(dim=1)
        assert torch.equal(sums.double(), (found.weights[0] * inputs_worst).sum(dim=1))


@pytest.mark.parametrize("family", FAMILIES)
def test_large_weights_are_carried_by_float64(family):
    model = sharper(made(family, (1, 4, 5), 5), 60.0)
    images = noise(model, 4)
    twin = fixed_point(model, calibrate(model, images))
    assert twin.carrier == torch.float64 and twin.least_bits >= LEAST_WEIGHT_BITS
    assert torch.equal(decode(twin, encode(shares_of(twin, images), 2), tuple(images.shape)), images)


@pytest.mark.parametrize("family", FAMILIES)
def test_activations_beyond_their_range_cost_bits_and_no_correctness(family):
    model = made(family, (1, 5, 5), 256)
    images = noise(model, 6)
    twin = fixed_point(model, [0] * len(calibrate(model, images)))
    assert torch.equal(decode(twin, encode(shares_of(twin, images), 3), tuple(images.shape)), images)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("height", [1, 3, 9])
@pytest.mark.parametrize("width", [1, 4, 11])
def test_a_twin_takes_images_of_any_size(family, height, width):
    _, twin, _, _ = twin_and_images(family, (1, 5, 5), 7, 4)
    images = torch.randint(7, (3, 1, height, width), dtype=torch.uint8)
    assert torch.equal(decode(twin, encode(shares_of(twin, images), 2), tuple(images.shape)), images)


def test_models_without_a_twin_are_refused_with_a_sentence(family):
    model = tiny(family, (1, 4, 4), 3, default_condition=False)
    if family in FAMILIES:
        assert fixed_point(model, calibrate(model, noise(model, 2)))
    else:
        with pytest.raises(ModelError, match=f"the family {family} cannot compress: train a gated-pixelcnn"):
            calibrate(model, noise(model, 2))
    vectors = tiny("gated-pixelcnn", (1, 4, 4), 3, condition=nx.Vector(2), default_condition=False)
    with pytest.raises(ModelError, match="without a condition or with labels"):
        fixed_point(vectors, [0] * 6)


def test_ranges_of_another_model_are_refused():
    model = tiny("gated-pixelcnn", (1, 4, 4), 3)
    for ranges in ([], [0] * 5, [0] * 7, [13] * 6, [-1] * 6):
        with pytest.raises(ModelError, match="ranges"):
            fixed_point(model, ranges)
    with torch.no_grad():
        model.readout.hidden.bias[0] = float("nan")
    with pytest.raises(ModelError, match="not finite"):
        fixed_point(model, [0] * 6)


def test_weights_without_measure_are_refused():
    model = tiny("gated-pixelcnn", (1, 4, 4), 3)
    with torch.no_grad():
        model.readout.hidden.weight.mul_(1e30)
    with pytest.raises(ModelError, match="too large to compress"):
        fixed_point(model, [12] * 6)


def test_another_twin_does_not_decode():
    _, twin, images, _ = twin_and_images("gated-pixelcnn", (1, 6, 6), 5, 8)
    other = fixed_point(made("gated-pixelcnn", (1, 6, 6), 5, layers=3), [1] * 8)
    streams = encode(shares_of(twin, images), 4)
    with pytest.raises(DataError):
        assert torch.equal(decode(other, streams, tuple(images.shape)), images)

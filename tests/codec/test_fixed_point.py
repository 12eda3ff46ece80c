import math
import re

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import nextpixel as nx
from helpers.tiny_models import few, has_option, noise, seeded, sharper, tiny
from nextpixel.codec.fixed_point import calibrate, fixed_point
from nextpixel.codec.images import decode, encode, shares_of
from nextpixel.engines.layout import lay_out
from nextpixel.errors import DataError, ModelError
from nextpixel.plan.integers import LEAST_WEIGHT_BITS, NARROW_LIMIT, Part, integer_sum
from nextpixel.plan.lowering.families import LOWERINGS
from nextpixel.plan.operations import Sum

FAMILIES = [*sorted(LOWERINGS), "multiscale", "turned"]
OPTIONS = [{}, {"skips": False}, {"skips": True}, {"residual": False}, {"kernel_size": 5}, {"condition": nx.Labels(3)}]
OPTIONS += [{"level_features": 3}]


def made(family, shape, levels, **options):
    return sharper(tiny(family, shape, levels, default_condition=False, **options), 1.0).eval()


def twin_and_images(family, shape, levels, count, seed=0, **options):
    model = made(family, shape, levels, **options)
    images = noise(model, count, seed)
    labels = torch.arange(count) % 3 if "condition" in options else None
    program = fixed_point(model, calibrate(model, images, labels))
    return model, program, images.numpy(), None if labels is None else labels.numpy()


def comes_back(program, images, lanes):
    layout = lay_out(program)
    assert np.array_equal(decode(layout, encode(shares_of(layout, images), lanes)[0], images.shape), images)


def is_wide(program):
    return all(
        any(operation.wide for operation in scale.operations if isinstance(operation, Sum)) for scale in program.scales
    )


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("option", OPTIONS, ids=str)
@settings(few, max_examples=4)
@given(
    shape=st.sampled_from([(1, 5, 7), (3, 6, 4), (2, 1, 3), (4, 3, 1), (1, 1, 1)]),
    levels=st.sampled_from([2, 5, 256]),
    lanes=st.integers(1, 5),
    batch_size=st.sampled_from([1, 2, None]),
    dtypes=st.permutations([np.float32, np.float64]),
)
def test_both_computations_are_equal_to_the_bit(family, option, shape, levels, lanes, batch_size, dtypes):
    """What whole rows encode is decoded step by step: other batches, another carrier."""
    if not all(has_option(family, name) for name in option if name != "condition"):
        pytest.skip("the family has no such option")
    _, program, images, labels = twin_and_images(family, shape, levels, 5, **option)
    layouts = [lay_out(program, dtype) for dtype in dtypes]
    shares = shares_of(layouts[0], images, labels)
    others = shares_of(layouts[1], images, labels, batch_size=batch_size)
    assert (shares.starts == others.starts).all() and (shares.frequencies == others.frequencies).all()
    streams, _ = encode(shares, lanes)
    decoded = decode(layouts[1], streams, images.shape, labels, batch_size=batch_size)
    assert np.array_equal(decoded, images)


@pytest.mark.parametrize("family", FAMILIES)
def test_batches_and_memory_layout_change_nothing(family):
    model, program, images, _ = twin_and_images(family, (3, 12, 16), 256, 7)
    expected = shares_of(lay_out(program), images).frequencies
    ranges = calibrate(model, torch.from_numpy(images))
    again = lay_out(fixed_point(model.to(memory_format=torch.channels_last), ranges))
    turned = np.asfortranarray(images)
    for batch_size in (1, 7, 64):
        assert (shares_of(again, turned, batch_size=batch_size).frequencies == expected).all()


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("levels", [2, 256])
@pytest.mark.parametrize("level_features", [0, 3])
def test_the_integers_cost_hardly_more_than_the_model(family, levels, level_features):
    model = tiny(family, (3, 8, 8), levels, layers=4, level_features=level_features).eval()
    images = model.sample(20, generator=seeded())
    program = fixed_point(model, calibrate(model, images))
    with torch.no_grad():
        bits = -model.log_prob(images).double().sum() / math.log(2)
    assert abs(shares_of(lay_out(program), images.numpy()).bits.sum() / float(bits) - 1) < 0.005


@few
@given(scale=st.floats(0.001, 300), largest=st.integers(1, 5000), inputs=st.integers(1, 200), seed=st.integers(0, 99))
def test_no_sum_can_leave_the_range_that_is_exact(scale, largest, inputs, seed):
    generator = torch.Generator().manual_seed(seed)
    weight = (scale * torch.randn(7, inputs, generator=generator, dtype=torch.float64)).numpy()
    bias = (scale * torch.randn(2, 7, generator=generator, dtype=torch.float64)).numpy()
    total = integer_sum([Part(weight, largest)], bias, NARROW_LIMIT)
    inside = total.bits >= 0
    worst = np.abs(total.weights[0]).sum(axis=1) * largest + np.abs(total.bias).max(axis=0)
    assert (worst[inside] < NARROW_LIMIT).all()
    for integers in (total.weights[0], total.bias):
        assert np.array_equal(integers, np.rint(integers))
    # The worst input really gives the worst sum, and float32 holds it.
    if inside.all():
        inputs_worst = np.sign(total.weights[0]) * largest
        sums = (total.weights[0].astype(np.float32) * inputs_worst.astype(np.float32)).sum(axis=1)
        assert np.array_equal(sums, (total.weights[0] * inputs_worst).sum(axis=1))


@pytest.mark.parametrize("family", FAMILIES)
def test_large_weights_are_carried_by_float64(family):
    model = sharper(made(family, (1, 4, 5), 5), 60.0)
    images = noise(model, 4)
    program = fixed_point(model, calibrate(model, images))
    assert is_wide(program) and program.least_bits >= LEAST_WEIGHT_BITS
    comes_back(program, images.numpy(), 2)


@pytest.mark.parametrize("family", FAMILIES)
def test_activations_beyond_their_range_cost_bits_and_no_correctness(family):
    model = made(family, (1, 5, 5), 256)
    images = noise(model, 6)
    comes_back(fixed_point(model, [0] * len(calibrate(model, images))), images.numpy(), 3)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("height", [1, 3, 9])
@pytest.mark.parametrize("width", [1, 4, 11])
def test_a_twin_takes_images_of_any_size(family, height, width):
    _, program, _, _ = twin_and_images(family, (1, 5, 5), 7, 4)
    comes_back(program, torch.randint(7, (3, 1, height, width), dtype=torch.uint8).numpy(), 2)


def test_models_without_a_twin_are_refused_with_a_sentence(family):
    model = tiny(family, (1, 4, 4), 3, default_condition=False)
    if family in FAMILIES:
        assert fixed_point(model, calibrate(model, noise(model, 2)))
    else:
        with pytest.raises(ModelError, match=f"the family {re.escape(family)} cannot compress; train a gated-pixelcnn"):
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
    _, program, images, _ = twin_and_images("gated-pixelcnn", (1, 6, 6), 5, 8)
    other = fixed_point(made("gated-pixelcnn", (1, 6, 6), 5, layers=3), [1] * 8)
    streams, _ = encode(shares_of(lay_out(program), images), 4)
    with pytest.raises(DataError):
        assert np.array_equal(decode(lay_out(other), streams, images.shape), images)

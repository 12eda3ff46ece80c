"""The compiled engine computes what PyTorch and NumPy compute: floats nearly, integers to the bit."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import nextpixel as nx
from helpers.tiny_models import SHAPES, few, has_option, noise, seeded, sharper, tiny
from nextpixel.codec.fixed_point import calibrate, fixed_point
from nextpixel.codec.images import decode, encode, shares_of
from nextpixel.engines import exact, native
from nextpixel.engines.layout import lay_out
from nextpixel.errors import ModelError
from nextpixel.families import raster_model
from nextpixel.generation.engine_choice import only, prefers_compiled
from nextpixel.generation.walk import walk
from nextpixel.nn.distributions import SamplingParams
from nextpixel.plan.lowering.families import LOWERINGS

OPTIONS = [{}, {"skips": False}, {"residual": False}, {"kernel_size": 5}, {"level_features": 3}]


def drawn(model, engine, images, known, condition, **options):
    with only(engine):
        return walk(model, images, known, condition, generator=seeded(), **options)


@pytest.mark.parametrize("option", OPTIONS, ids=str)
@settings(few, max_examples=3)
@given(
    shape=st.sampled_from(SHAPES),
    levels=st.sampled_from([2, 5]),
    temperature=st.sampled_from([0.0, 0.5, 1.0]),
    seed=st.integers(0, 99),
)
def test_it_draws_what_pytorch_draws_with_probabilities_as_near(variant, option, shape, levels, temperature, seed):
    """From the same numbers, under any condition, also where sub-pixels or whole rows are known."""
    if not all(has_option(variant, name) for name in option):
        pytest.skip("the family has no such option")
    model = sharper(tiny(variant, shape, levels, **option), 0.7).eval()
    images, condition = noise(model, 5, seed), model.random_condition(5, seeded(seed))
    known = (torch.rand(5, 1, *shape[1:], generator=seeded(seed)) < 0.4).expand_as(images).clone()
    known[:, :, : shape[1] // 2] |= seed % 2 == 0
    sampling = SamplingParams(temperature)
    one, other = (
        drawn(model, engine, images, known, condition, sampling=sampling) for engine in ("pytorch", "compiled")
    )
    assert torch.equal(one.images, other.images)
    torch.testing.assert_close(one.log_prob_map, other.log_prob_map, atol=1e-5, rtol=1e-5)


def test_it_is_taken_for_every_family_that_has_a_program(family, monkeypatch):
    model = tiny(family, (1, 3, 4), 3)
    parts = [part for part in model.modules() if isinstance(part, raster_model.RasterModel) and part.lowers]
    calls = []
    inside = raster_model.walk_compiled
    monkeypatch.setattr(raster_model, "walk_compiled", lambda *a: calls.append(1) or inside(*a))
    model.sample(2)
    assert len(calls) == len(parts)
    assert parts or family not in LOWERINGS


def test_threads_change_nothing():
    model = sharper(tiny("gated-pixelcnn", (1, 5, 6), 5))
    one = model.sample(9, generator=seeded())
    torch.set_num_threads(2)
    assert torch.equal(model.sample(9, generator=seeded()), one)


def test_weights_that_change_are_seen():
    model = sharper(tiny("pixelcnn", (1, 4, 5), 3))
    model.sample(1)
    model.readout.output.bias.data[1] += 100
    assert (model.sample(2) == 1).all()


def test_weights_that_are_no_numbers_are_told():
    model = tiny("row-lstm", (1, 4, 5), 3)
    model.first.weight.data[0] = float("nan")
    with only("compiled"), pytest.raises(ModelError, match="not numbers"):
        model.sample(1)


def test_few_images_are_compiled_and_many_are_not():
    assert prefers_compiled(200_000, threads=1)
    assert not prefers_compiled(256 * 200_000, threads=1)
    assert prefers_compiled(256 * 200_000, threads=4)


def test_without_numba_pytorch_draws(monkeypatch):
    model = sharper(tiny("gated-pixelcnn", (1, 4, 5), 3))
    expected = model.sample(2, generator=seeded())
    monkeypatch.setattr(raster_model, "kernel", lambda: None)
    assert torch.equal(model.sample(2, generator=seeded()), expected)
    monkeypatch.setattr(native, "kernel", lambda: None)
    assert "nextpixel[fast]" in native.note()


@pytest.mark.parametrize("family", [*sorted(LOWERINGS), "multiscale", "turned"])
@pytest.mark.parametrize(("labels", "scale"), [(False, 1.0), (True, 1.0), (False, 60.0)])
def test_numpy_alone_gives_the_same_bits(family, labels, scale, monkeypatch):
    condition = nx.Labels(3) if labels else None
    model = sharper(tiny(family, (3, 5, 4), 7, condition=condition, default_condition=False), scale).eval()
    images, classes = noise(model, 6), torch.arange(6) % 3 if labels else None
    layout = lay_out(fixed_point(model, calibrate(model, images, classes)))
    numbers = None if classes is None else classes.numpy()
    compiled = shares_of(layout, images.numpy(), numbers)
    monkeypatch.setattr(exact, "kernel", lambda: None)
    alone = shares_of(layout, images.numpy(), numbers)
    assert all(map(np.array_equal, compiled, alone))
    streams, _ = encode(alone, 4)
    assert np.array_equal(decode(layout, streams, tuple(images.shape), numbers), images.numpy())
    monkeypatch.undo()
    assert np.array_equal(decode(layout, streams, tuple(images.shape), numbers), images.numpy())

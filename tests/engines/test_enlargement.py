"""The integers of an enlargement are those of the network that PyTorch computes."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from helpers.tiny_models import few, noise, sharper, tiny
from nextpixel.codec.fixed_point import calibrate, fixed_point
from nextpixel.engines.enlargement import enlarged
from nextpixel.errors import ModelError
from nextpixel.model_files.stored import stored_model
from nextpixel.plan.integers import ONE
from nextpixel.plan.lowering.families import lower
from nextpixel.plan.stored_model import StoredModel


@settings(few, max_examples=12)
@given(
    shape=st.sampled_from([(1, 8, 8), (3, 7, 5), (2, 9, 13), (1, 1, 6)]),
    factor=st.sampled_from([2, 3, 4, 5, 7]),
    levels=st.sampled_from([2, 256]),
)
def test_maps_are_those_of_the_network_but_for_rounding(shape, factor, levels):
    model = sharper(tiny("multiscale", shape, levels, factor=factor), 1.0).eval()
    images = noise(model, 3)
    program = fixed_point(model, calibrate(model, images))
    small = model.scales_of(images)[0]
    with torch.no_grad():
        expected = model.models[1].context_of({"smaller": model.normalised(small)}).places
    made = enlarged(program.smaller, small.numpy(), shape[1:])
    found = torch.from_numpy(made.places).permute(2, 3, 0, 1) / ONE
    assert torch.equal(found * ONE, (found * ONE).round())
    torch.testing.assert_close(found, expected, atol=0.02 * (1 + float(expected.abs().max())), rtol=0)


@pytest.mark.parametrize("size", [(1, 1), (3, 8), (8, 3), (12, 9)])
def test_images_of_any_size_are_cut_off_or_filled_with_zeros(size):
    model = sharper(tiny("multiscale", (1, 8, 8), 4)).eval()
    program = fixed_point(model, calibrate(model, noise(model, 3)))
    small = noise(model, 2)[:, :, ::2, ::2].numpy()
    whole, part = (enlarged(program.smaller, small, sides).places for sides in ((8, 8), size))
    assert part.shape[:2] == size
    rows, columns = min(8, size[0]), min(8, size[1])
    assert np.array_equal(part[:rows, :columns], whole[:rows, :columns])
    assert not part[8:].any() and not part[:, 8:].any()


def stored(**changes):
    model = tiny("multiscale", (1, 6, 6), 4, scales=2).eval()
    made = stored_model(model)
    options = made.description["options"] | {
        name: value for name, value in changes.items() if name in ("scales", "factor")
    }
    return StoredModel(made.description | {"options": options}, made.weights), calibrate(model, noise(model, 2))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"scales": 1}, "1 scales"),
        ({"scales": 10**9}, "1000000000 scales"),
        ({"factor": 0}, "factor of 0"),
        ({"scales": 3}, "ranges of the activations|no weight"),
    ],
)
def test_descriptions_of_no_model_are_refused(changes, message):
    model, ranges = stored(**changes)
    with pytest.raises(ModelError, match=message):
        lower(model, ranges, wide_head=True)


def test_maps_that_take_too_much_memory_are_refused():
    model, ranges = stored()
    huge = StoredModel(model.description | {"image_shape": [1, 4096, 4096]}, model.weights)
    with pytest.raises(ModelError, match="4096 x 4096 places take too much memory"):
        lower(huge, ranges, wide_head=True)


def test_a_kernel_of_no_enlargement_is_refused():
    model, ranges = stored()
    name = "models.1.conditioning.upsampling.smaller.fine.0.weight"
    weights = dict(model.weights) | {name: np.ascontiguousarray(model.weights[name][:, :, :2, :2])}
    with pytest.raises(ModelError, match="a kernel of 2"):
        lower(StoredModel(model.description, weights), ranges, wide_head=True)

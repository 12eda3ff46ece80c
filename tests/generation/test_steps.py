"""The two computations of every model are equal: step by step, and in one parallel pass."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import nextpixel as nx
from helpers.tiny_models import SHAPES, begins_with_what_is_known, few, has_option, noise, seeded, sharper, tiny
from nextpixel.families.base import ImageModel
from nextpixel.families.build import family_class
from nextpixel.families.raster_model import RasterModel

OPTIONS = [{}, {"skips": False}, {"skips": True}, {"residual": False}, {"kernel_size": 5}, {"first_kernel_size": 3}]
OPTIONS += [{"level_features": 3}]


def test_every_registered_model_has_a_stepper(family):
    assert family_class(family).fill is not ImageModel.fill


@torch.no_grad()
def parameters_step_by_step(model, images, context, known_rows=0):
    """What a stepper predicts for every sub-pixel, `[B, parameters, C, H, W]`, when told the images."""
    inputs = model.normalised(images)
    stepper = model._stepper(len(images), context, images.shape[3])
    found = torch.zeros_like(model._network(inputs, context))
    channels, height, width = model.image_shape
    for row in range(height):
        stepper.start_row(row)
        if row < known_rows:
            stepper.known_row(inputs[:, :, row])
            continue
        for column in range(width):
            for colour in range(channels):
                found[:, :, colour, row, column] = stepper.predict(column, colour, read=True)
                stepper.tell(column, colour, inputs[:, colour, row, column])
        stepper.end_row()
    return found


def raster(variant, *arguments, **options):
    model = tiny(variant, *arguments, **options)
    if not isinstance(model, RasterModel):
        pytest.skip("not in raster order: its walk is made of those of the models inside")
    return sharper(model, 1.0)


@pytest.mark.parametrize("option", OPTIONS, ids=str)
@settings(few, max_examples=3)
@given(
    shape=st.sampled_from(SHAPES), levels=st.sampled_from([2, 5, 256]), batch=st.integers(1, 4), seed=st.integers(0, 99)
)
def test_what_is_predicted_step_by_step_is_what_a_pass_predicts(variant, option, shape, levels, batch, seed):
    if option and not has_option(variant, next(iter(option))):
        pytest.skip("the family has no such option")
    model = raster(variant, shape, levels, dropout=0.3, **option).eval()
    images, condition = noise(model, batch, seed), model.random_condition(batch, seeded(seed))
    for dtype, tolerance in ((torch.float32, 1e-5), (torch.float64, 1e-10)):
        model.to(dtype)
        with torch.no_grad():
            context = model.context_of(condition)
            expected = model._network(model.normalised(images), context)
        found = parameters_step_by_step(model, images, context)
        scale = max(1.0, float(expected.abs().max()))
        assert float((found - expected).abs().max()) <= tolerance * scale


@pytest.mark.parametrize("shape", [(1, 5, 7), (3, 4, 3)])
@pytest.mark.parametrize("level_features", [0, 3])
def test_rows_that_are_known_may_be_told_at_once(variant, shape, level_features):
    model = raster(variant, shape, 4, level_features=level_features).double().eval()
    images = noise(model, 3)
    with torch.no_grad():
        context = model.context_of(model.random_condition(3, seeded()))
        expected = model._network(model.normalised(images), context)
    for known_rows in range(1, shape[1]):
        found = parameters_step_by_step(model, images, context, known_rows)
        torch.testing.assert_close(found[..., known_rows:, :], expected[..., known_rows:, :], atol=1e-10, rtol=1e-10)


@few
@given(shape=st.sampled_from(SHAPES), seed=st.integers(0, 99), levels=st.sampled_from([2, 5]))
def test_the_steps_draw_what_passes_draw(variant, shape, seed, levels):
    """The same images from the same numbers, also where some sub-pixels are known and others not."""
    model = sharper(tiny(variant, shape, levels)).double()
    known = torch.rand(3, *shape[1:], generator=seeded(seed)) < 0.4
    if begins_with_what_is_known(variant):
        # Passes go in the model's own order.
        known[:] = False
    images = noise(model, 3, seed)
    by_steps = model.complete(images, known, generator=seeded(seed))
    model.fill = lambda canvas, context: ImageModel.fill(model, canvas, context)
    assert torch.equal(model.complete(images, known, generator=seeded(seed)), by_steps)


@pytest.mark.parametrize("shape", [(1, 4, 1), (1, 1, 4), (3, 1, 1), (1, 7, 7)])
def test_drawing_does_not_change_the_weights(variant, shape):
    model = tiny(variant, shape, 3, scales=3, factor=3)
    before = {name: each.clone() for name, each in model.state_dict().items()}
    model.sample(1)
    model.complete(noise(model, 1), torch.rand(shape[1:]) < 0.5)
    assert all(torch.equal(each, before[name]) for name, each in model.state_dict().items())


def test_in_double_precision_the_draws_are_too(variant):
    from nextpixel.verify import stepwise_difference

    assert stepwise_difference(sharper(tiny(variant, (1, 4, 5), 256)).double()) < 1e-10


def test_parts_in_a_mode_of_their_own_stay_in_it(family):
    model = tiny(family).train()
    part = next(iter(model.children()))
    part.eval()
    model.sample(1)
    assert model.training and not part.training


def test_a_step_computes_only_its_own_colour():
    """What a stepper does for the first colour cannot touch the features of the others."""
    model = tiny("gated-pixelcnn", (3, 2, 2), 4).eval()
    with torch.no_grad():
        stepper = model._stepper(1, None, model.image_shape[2])
        stepper.start_row(0)
        stepper.predict(0, 0, read=True)
        features = stepper.layers[0].outputs.places[0, 0]
        groups = stepper.layers[0].outputs.groups
        assert features[groups.members[0]].any()
        assert not features[groups.members[1]].any() and not features[groups.members[2]].any()


def test_memory_grows_with_the_width_and_not_with_the_pixels():
    def floats(height, width):
        model = nx.build("gated-pixelcnn", image_shape=(1, height, width), levels=2, features=8, layers=2).eval()
        stepper = model._stepper(1, None, model.image_shape[2])
        seen, stack, total = set(), [stepper], 0
        while stack:
            each = stack.pop()
            if isinstance(each, torch.Tensor):
                storage = each.untyped_storage()
                total += storage.nbytes() if storage.data_ptr() not in seen else 0
                seen.add(storage.data_ptr())
            elif isinstance(each, dict):
                stack += each.values()
            elif isinstance(each, list | tuple) or type(each).__name__ == "deque":
                stack += each
            elif type(each).__module__.startswith("nextpixel.nn.steps"):
                stack += vars(each).values()
        return total

    small, wide, high = floats(8, 64), floats(8, 128), floats(16, 64)
    assert high == small
    assert small < wide < 2 * small

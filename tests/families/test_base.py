import numpy as np
import pytest
import torch

import nextpixel as nx
from helpers.tiny_models import noise, tiny
from nextpixel.errors import InputError
from nextpixel.families.build import family_class

METHODS = ["logits", "log_prob_map", "log_prob", "bits_per_dim", "forward"]
SHAPE = (3, 2, 4)


def of(value, *shape):
    return torch.full(shape, value)


BAD_IMAGES = {
    "floats": (of(0.5, 2, *SHAPE), r"integers in 0\.\.4, not torch.float32"),
    "booleans": (of(True, 2, *SHAPE), "integers"),
    "one image without a batch": (of(0, *SHAPE), r"\[B, 3, 2, 4\], not \[3, 2, 4\]"),
    "channels last": (of(0, 2, 2, 4, 3), r"\[B, 3, 2, 4\], not \[2, 2, 4, 3\]"),
    "too few channels": (of(0, 2, 1, 2, 4), r"not \[2, 1, 2, 4\]"),
    "another size": (of(0, 2, 3, 4, 2), r"not \[2, 3, 4, 2\]"),
    "five axes": (of(0, 1, 2, *SHAPE), "shape"),
    "a level too high": (
        of(5, 2, *SHAPE),
        r"values from 5 to 5, but this model has levels 0\.\.4; .*levels=5",
    ),
    "a negative level": (of(-1, 2, *SHAPE), "values from -1"),
    "a huge level": (of(2**40, 2, *SHAPE), str(2**40)),
}


def bad_images(family, what):
    """Images that a family refuses, and what it says of them."""
    if what == "another size" and not family_class(family).knows_positions:
        pytest.skip("the family takes images of any size")
    return BAD_IMAGES[what]


@pytest.mark.parametrize("what", BAD_IMAGES)
def test_images_that_do_not_fit_are_refused(family, what):
    images, message = bad_images(family, what)
    model = tiny(family, SHAPE, 5)
    for method in METHODS:
        with pytest.raises(InputError, match=message):
            getattr(model, method)(images)
    if what != "channels last":
        with pytest.raises(InputError, match=message):
            model.complete(images, of(True, 2, 4))


@pytest.mark.parametrize("where", [(0, 0, 0, 0), (1, 2, 1, 3)])
def test_one_bad_value_among_many_is_found(family, where):
    model = tiny(family, SHAPE, 5)
    images = noise(model, 2)
    images[where] = 5
    with pytest.raises(InputError, match="to 5"):
        model.log_prob(images)


def test_a_condition_is_refused_where_there_is_none(family):
    model = tiny(family, SHAPE, 5)
    if model.condition is not None:
        pytest.skip("the family has a condition of its own")
    for method in METHODS:
        with pytest.raises(InputError, match="without a condition"):
            getattr(model, method)(noise(model, 2), torch.tensor([0, 1]))
    with pytest.raises(InputError, match="without a condition"):
        model.sample(2, torch.tensor([0, 1]))


@pytest.mark.parametrize("temperature", [float("nan"), -1.0, -1e-9, float("inf"), -float("inf")])
def test_a_temperature_must_be_a_number_from_zero(family, temperature):
    model = tiny(family, SHAPE, 5)
    with pytest.raises(InputError, match=f"temperature must be a number, 0 or more, not {temperature}"):
        model.sample(1, temperature=temperature)
    with pytest.raises(InputError, match="temperature"):
        model.complete(noise(model, 1), of(True, 2, 4), temperature=temperature)


@pytest.mark.parametrize("count", [0, -1])
def test_at_least_one_sample_must_be_asked_for(family, count):
    with pytest.raises(InputError, match=f"count must be an integer of at least 1, not {count}"):
        tiny(family).sample(count)


@pytest.mark.parametrize("generator", [3, "cpu", torch])
def test_a_generator_must_be_one(family, generator):
    with pytest.raises(InputError, match=r"generator must be a torch\.Generator of the CPU"):
        tiny(family).sample(1, generator=generator)


def test_numbers_may_come_from_numpy(family):
    model = tiny(family)
    drawn = model.sample(
        np.int64(2),
        temperature=np.float32(0.5),
        top_k=np.int32(2),
        top_p=np.float64(0.9),
        generator=torch.Generator().manual_seed(0),
    )
    again = model.sample(2, temperature=0.5, top_k=2, top_p=0.9, generator=torch.Generator().manual_seed(0))
    assert torch.equal(drawn, again)


BAD_MASKS = {
    "integers": (of(1, 2, 4), r"bool \[H, W\].*\(2, 4\), not torch.int64"),
    "one axis": (of(True, 4), r"\[4\]"),
    "four axes": (of(True, 2, *SHAPE), "bool"),
    "another size": (of(True, 4, 2), r"\[4, 2\]"),
    "too few masks": (of(True, 1, 2, 4), "1 masks for 2 images; give one, or one an image"),
    "too many masks": (of(True, 3, 2, 4), "3 masks for 2 images"),
}


@pytest.mark.parametrize("what", BAD_MASKS)
def test_masks_that_do_not_fit_are_refused(family, what):
    model = tiny(family, SHAPE, 5)
    known, message = BAD_MASKS[what]
    with pytest.raises(InputError, match=message):
        model.complete(noise(model, 2), known)


@pytest.fixture
def image_set(tmp_path, monkeypatch):
    monkeypatch.setenv("NEXTPIXEL_CACHE", str(tmp_path / "cache"))
    pixels = np.random.default_rng(0).integers(0, 256, (7, 2, 4, 3)).astype(np.uint8)
    return lambda **options: nx.open_images(pixels, **options)


def test_a_set_that_fits_is_accepted(family, image_set):
    tiny(family, SHAPE, 5).check_set(image_set(levels=5))


def test_a_set_of_other_levels_is_refused_with_the_remedy(family, image_set):
    with pytest.raises(InputError, match="has 256 levels, this model 5; open it with --levels 5 "):
        tiny(family, SHAPE, 5).check_set(image_set())
    with pytest.raises(InputError, match="--levels 2 or --binarize"):
        tiny(family, SHAPE, 2).check_set(image_set())


def test_a_set_of_another_shape_is_refused_with_the_remedy(family, image_set):
    with pytest.raises(InputError, match=r"images of 3 x 2 x 4, this model takes 3 x 4 x 2 .*--resize"):
        tiny(family, (3, 4, 2), 256).check_set(image_set())


def test_values_become_floats_from_minus_one_to_one(family):
    for levels in (2, 3, 256):
        model = tiny(family, (1, 1, levels), levels)
        ramp = model.normalised(torch.arange(levels).view(1, 1, 1, levels))
        torch.testing.assert_close(ramp.flatten(), torch.linspace(-1, 1, levels))
        assert model.double().normalised(noise(model, 1)).dtype == torch.float64


def test_a_model_is_an_ordinary_module(family):
    model = tiny(family, SHAPE, 5)
    twin = tiny(family, SHAPE, 5)
    with torch.no_grad():
        for parameter in twin.parameters():
            parameter.zero_()
    twin.load_state_dict(model.state_dict())
    assert torch.equal(model.logits(noise(model, 2)), twin.logits(noise(model, 2)))
    assert model.device == torch.device("cpu")
    assert model.bfloat16().log_prob(noise(model, 2)).dtype == torch.float32


def test_the_former_name_of_the_receptive_field_works_and_says_so(family):
    model = tiny(family)
    with pytest.warns(DeprecationWarning, match="receptive_field"):
        former = model.promised_context()
    assert torch.equal(former, model.receptive_field())

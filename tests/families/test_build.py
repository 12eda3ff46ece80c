import json

import pytest
import torch

import nextpixel as nx
from helpers.tiny_models import features_of, has_option, tiny
from nextpixel.errors import ModelError, NextpixelError
from nextpixel.families.build import family_class
from nextpixel.families.registry import FAMILIES
from nextpixel.model_files.record import TrainingRecord


def test_the_models_are_the_registered_ones():
    assert nx.models() == sorted(FAMILIES) != []


def test_a_family_is_what_the_registry_says(family):
    model = tiny(family, (3, 2, 4), 7)
    assert isinstance(model, nx.ImageModel) and type(model) is family_class(family)
    assert model.family == family
    assert model.image_shape == (3, 2, 4) and model.levels == 7
    assert model.training and model.record == TrainingRecord()
    assert FAMILIES[family].summary.strip() and "\n" not in FAMILIES[family].summary


def test_every_family_understands_features_and_layers(family):
    def weights(**options):
        return sum(each.numel() for each in tiny(family, **options).parameters())

    assert weights(features=8) < weights(features=16)
    assert weights(layers=2) < weights(layers=3)


def test_the_options_rebuild_the_model(family):
    model = tiny(family, (3, 2, 4), 7, layers=3, dropout=0.25)
    options = json.loads(json.dumps(model.options))
    assert options["features"] == features_of(family) and options["layers"] == 3
    twin = nx.build(family, image_shape=(3, 2, 4), levels=7, **options)
    assert twin.options == model.options
    shapes = {name: each.shape for name, each in model.state_dict().items()}
    assert {name: each.shape for name, each in twin.state_dict().items()} == shapes


def test_a_seed_makes_the_same_model(family):
    one, two = tiny(family), tiny(family)
    for name, each in one.state_dict().items():
        assert torch.equal(each, two.state_dict()[name])


def test_an_unknown_family_is_refused_with_the_names_of_all():
    with pytest.raises(ModelError, match=r"no model 'transformer'; the models are .*gated-pixelcnn"):
        nx.build("transformer", image_shape=(1, 2, 2))


def test_an_unknown_option_is_refused_with_the_names_of_all(family):
    with pytest.raises(ModelError, match=r"has no option 'widht'; its options are .*features.*layers"):
        tiny_with(family, widht=3)


@pytest.mark.parametrize("condition", [3, "labels", {}, {"a b": nx.Labels(2)}, {"a": 3}, [nx.Labels(2)]])
def test_a_condition_that_is_none_is_refused(family, condition):
    with pytest.raises(ModelError, match="condition"):
        tiny_with(family, condition=condition)


def tiny_with(family, **options):
    return nx.build(family, **{"image_shape": (3, 4, 4), "levels": 4, "features": 8, "layers": 2} | options)


BAD = [
    ("levels", 1, "levels must be an integer from 2 to 256, not 1"),
    ("levels", 257, "not 257"),
    ("levels", -2, "not -2"),
    ("levels", 4.0, "integer from 2 to 256, not 4.0"),
    ("levels", "4", "levels"),
    ("levels", None, "levels"),
    ("image_shape", (28, 28), r"\(channels, height, width\), not \(28, 28\)"),
    ("image_shape", (1, 1, 28, 28), "image_shape"),
    ("image_shape", (1, 0, 28), "height in image_shape must be an integer from 1 to 1048576, not 0"),
    ("image_shape", (1, -3, 28), "not -3"),
    ("image_shape", (1, 28.0, 28), "image_shape"),
    ("image_shape", (28, 28, 1), "channels, first in image_shape, must be an integer from 1 to 4, not 28"),
    ("image_shape", (5, 28, 28), "from 1 to 4, not 5"),
    ("image_shape", (0, 28, 28), "from 1 to 4, not 0"),
    ("image_shape", (), "image_shape"),
    ("image_shape", "abc", "image_shape"),
    ("features", 2, "2 features cannot be divided among 3 colours; use at least 3"),
    ("features", 0, "features"),
    ("features", None, "features must be an integer"),
    ("features", True, "features must be an integer"),
    ("layers", 2.0, "layers must be an integer"),
    ("kernel_size", 3.0, "kernel_size must be odd"),
    ("dropout", "a", "dropout"),
    ("skips", "no", "skips must be True or False"),
    ("image_shape", 5, "image_shape"),
    ("image_shape", None, "image_shape"),
    ("features", -8, "features"),
    ("layers", 1001, "layers must be an integer from 1 to 1000, not 1001"),
    ("layers", 0, "layers must be an integer from 1 to 1000, not 0"),
    ("layers", -1, "not -1"),
    ("kernel_size", 2, "kernel_size must be odd, from LEAST to 255, .* not 2"),
    ("kernel_size", 4, "not 4"),
    ("kernel_size", 1, "from LEAST to 255, .* not 1"),
    ("kernel_size", -3, "not -3"),
    ("first_kernel_size", 6, "first_kernel_size must be odd, from 3 to 255, .* not 6"),
    ("first_kernel_size", 0, "first_kernel_size"),
    ("head_features", 2, "at least 3"),
    ("head_features", 0, "from 1 to 65536"),
    ("dropout", 1.0, "dropout must be at least 0 and below 1, not 1.0"),
    ("dropout", -0.1, "dropout"),
    ("dropout", float("nan"), "dropout"),
]


@pytest.mark.parametrize("name", sorted({name for name, _, _ in BAD}))
def test_an_argument_out_of_range_is_refused(family, name):
    if not has_option(family, name):
        pytest.skip("the family has no such option")
    for value, message in ((value, message) for of, value, message in BAD if of == name):
        if family == "local-pixelcnn" and (name, value) == ("features", 2):
            # Its features belong to pixels, not to colours.
            continue
        expected = message.replace("LEAST", "5" if family == "local-pixelcnn" else "3")
        with pytest.raises(ModelError, match=expected) as caught:
            tiny_with(family, **{name: value})
        assert isinstance(caught.value, NextpixelError) and caught.value.exit_code == 2


@pytest.mark.parametrize("shape", [(1, 1, 1), (4, 1, 1), (2, 3, 1)])
@pytest.mark.parametrize("levels", [2, 256])
def test_arguments_at_the_edge_of_the_range_are_taken(family, shape, levels):
    model = nx.build(family, image_shape=shape, levels=levels, features=shape[0], layers=1)
    assert model.logits(torch.zeros(1, *shape, dtype=torch.uint8)).shape == (1, levels, *shape)


def test_a_list_is_as_good_a_shape_as_a_tuple(family):
    assert nx.build(family, image_shape=[1, 2, 3], levels=2, features=8, layers=1).image_shape == (1, 2, 3)

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits, load_sample_image

import nextpixel as nx
from helpers.tiny_models import noise, tiny
from nextpixel.codec.codec import check_compresses
from nextpixel.codec.outlook import MOST_TWIN_COST, outlook
from nextpixel.errors import ModelError
from nextpixel.model_files.shipped import shipped
from nextpixel.nn.conditions import Labels


def pictures_for(model):
    """Real pictures of the model's size and levels: digits for grey models, a photograph for those of colour."""
    channels, height, width = model.image_shape
    if channels == 3:
        photograph = torch.from_numpy(np.array(load_sample_image("china.jpg"))).permute(2, 0, 1)
        return [photograph[:, top : top + height, 300 : 300 + width] for top in (60, 200, 300)]
    digits = torch.from_numpy(load_digits().images[:4])[:, None].float()
    enlarged = torch.nn.functional.interpolate(digits, (height, width), mode="bilinear") / 16
    return list((enlarged * (model.levels - 1)).round().byte())


@pytest.mark.parametrize("name", shipped())
def test_the_twins_of_shipped_models_cost_hardly_anything(name):
    model = nx.load(name)
    try:
        check_compresses(model)
    except ModelError as error:
        pytest.skip(str(error))
    pictures = pictures_for(model)
    labels = torch.arange(len(pictures)) if isinstance(model.condition, Labels) else None
    # A recurrent model is sure of wrong levels in pictures that it was not trained on, and its twin of others, less so.
    assert outlook(model, pictures, labels).twin_cost <= MOST_TWIN_COST


def test_the_twin_of_a_recurrent_model_says_the_same_of_the_images_that_it_draws():
    model = nx.load("nextpixel/mnist-diagonal-bilstm")
    images = model.sample(8, generator=torch.Generator().manual_seed(0))
    assert abs(outlook(model, list(images)).twin_cost) <= MOST_TWIN_COST


def test_the_float_bits_are_those_of_the_model_and_the_twin_s_those_of_the_file():
    model = tiny("gated-pixelcnn", (1, 8, 8), 5).eval()
    pictures = list(noise(model, 6))
    found = outlook(model, pictures)
    assert found.model == pytest.approx(model.bits_per_dim(torch.stack(pictures)).sum().item() * 64, rel=1e-5)
    assert found.twin == pytest.approx(found.model, rel=0.005) and found.looked_at == 6


@pytest.mark.parametrize("family", ["row-lstm", "turned", "multiscale"])
def test_a_model_of_images_of_one_size_is_asked_for_whole_tiles_alone(family):
    model = tiny(family, (1, 8, 8), 5).eval()
    whole, larger, smaller = noise(model, 1)[0], torch.randint(5, (1, 10, 8)), torch.randint(5, (1, 3, 8))
    expected = model.bits_per_dim(torch.stack([whole, larger[:, :8]])).sum().item() * 64
    found = outlook(model, [whole, larger.byte(), smaller.byte()])
    assert found.model == pytest.approx(expected, rel=1e-5)
    assert found.twin == pytest.approx(expected, rel=0.005) and found.looked_at == 3
    assert outlook(model, [smaller.byte()]).twin_cost == 0


def test_a_local_model_is_looked_at_in_the_middle_of_a_picture():
    model = tiny("local-pixelcnn", (3, 8, 8), 256, head="logistic-mixture").eval()
    picture = torch.randint(256, (3, 100, 70), dtype=torch.uint8)
    found = outlook(model, [picture])
    middle = picture[:, 18:82, 3:67]
    assert found.model == pytest.approx(model.bits_per_dim(middle[None]).item() * middle.numel(), rel=1e-4)
    assert abs(found.twin_cost) < 0.005


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_a_model_that_does_worse_than_picture_files_does_not_suit(channels):
    model = tiny("gated-pixelcnn", (1, 8, 8), 256).eval()
    flat = torch.zeros(channels, 40, 40, dtype=torch.uint8)
    found = outlook(model, [flat, flat])
    assert found.unsuited == found.looked_at == 2


def test_a_picture_without_a_place_in_the_model_does_not_suit():
    model = tiny("gated-pixelcnn", (3, 8, 8), 256).eval()
    found = outlook(model, [torch.randint(256, (1, 8, 8), dtype=torch.uint8)])
    assert (found.unsuited, found.looked_at, found.twin_cost) == (1, 1, 0)


def test_many_pictures_are_looked_at_in_part():
    model = tiny("gated-pixelcnn", (1, 4, 4), 3).eval()
    assert outlook(model, list(noise(model, 30))).looked_at == 8

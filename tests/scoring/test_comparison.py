import math

import pytest
import torch

from helpers.tiny_models import noise, sharper, tiny
from nextpixel.errors import InputError
from nextpixel.scoring.comparison import compare
from nextpixel.scoring.likelihood import evaluate


def test_differences_are_paired():
    one, two = tiny("gated-pixelcnn"), sharper(tiny("pixelcnn"))
    images, steps = noise(one, 40), []
    found = compare(one, two, images, advance=steps.append)
    with torch.no_grad():
        difference = (two.log_prob(images) - one.log_prob(images)).double()
    assert found.difference.nats == pytest.approx(float(difference.mean()), rel=1e-5)
    assert found.difference.nats_standard_error == pytest.approx(float(difference.std()) / math.sqrt(40), rel=1e-5)
    assert found.difference.bits_per_dim == pytest.approx(found.difference.nats / (12 * math.log(2)))
    assert found.first_better == int((difference < 0).sum()) and sum(steps) == 80
    assert found.first.nats - found.second.nats == pytest.approx(found.difference.nats, rel=1e-5)
    assert "a is better (" in found.told("a", "b") or "b is better (" in found.told("a", "b")


def test_bits_are_those_of_the_images_where_a_model_takes_any_size():
    model = tiny("local-pixelcnn", (3, 9, 9), 5)
    images = noise(tiny("local-pixelcnn", (3, 4, 5), 5), 6)
    compared = compare(model, model, images).first
    assert compared.bits_per_dim == pytest.approx(model.bits_per_dim(images).mean().item(), rel=1e-5)
    assert compared == evaluate(model, images)


def test_a_model_is_as_good_as_itself():
    model = tiny("gated-pixelcnn")
    found = compare(model, model, noise(model, 5))
    assert found.difference.nats == 0 and found.first_better == 0
    assert "neither is better beyond chance (0.0 standard errors)" in found.told("a", "b")


def test_one_image_tells_nothing():
    model = tiny("gated-pixelcnn")
    assert "neither is better" in compare(model, sharper(tiny("pixelcnn")), noise(model, 1)).told("a", "b")


def test_models_of_other_images_are_refused():
    with pytest.raises(InputError):
        compare(tiny("gated-pixelcnn"), tiny("gated-pixelcnn", (2, 3, 4)), noise(tiny("gated-pixelcnn"), 3))

import math

import pytest
import torch

import nextpixel as nx
from helpers.tiny_models import noise, sharper, tiny
from nextpixel.errors import ModelError
from nextpixel.scoring.maps import bit_maps
from nextpixel.scoring.posterior import posterior

CLASSES = 4


def of_labels(family, shape=(3, 3, 4)):
    return sharper(tiny(family, shape, 5, condition=nx.Labels(CLASSES), default_condition=False), 1.0).eval()


@pytest.fixture(scope="module", params=[each for each in nx.models() if each != "autoencoder"])
def model(request):
    return of_labels(request.param)


def test_bayes_rule(model):
    images = noise(model, 3)
    found = posterior(model, images)
    with torch.no_grad():
        joint = torch.stack([model.log_prob(images, torch.tensor(k)).double() for k in range(CLASSES)], dim=1)
    joint = joint - math.log(CLASSES)
    torch.testing.assert_close(found.map.flatten(1).sum(dim=1), joint.logsumexp(dim=1), rtol=1e-6, atol=1e-6)
    torch.testing.assert_close(found.log_probs, joint.log_softmax(dim=1), rtol=1e-5, atol=1e-4)
    torch.testing.assert_close(found.log_probs.exp().sum(dim=1), torch.ones(3, dtype=torch.float64))


def test_the_first_sub_pixel_is_predicted_by_all_classes_alike_and_no_later_one_by_the_future(model):
    images = noise(model, 2)
    place = model.order.flatten().argsort()
    with torch.no_grad():
        firsts = torch.stack(
            [model.log_prob_map(images, torch.tensor(k)).double().flatten(1)[:, place[0]] for k in range(CLASSES)]
        )
    found = posterior(model, images).map.flatten(1)
    torch.testing.assert_close(found[:, place[0]], firsts.logsumexp(dim=0) - math.log(CLASSES), rtol=1e-5, atol=1e-6)
    changed = images.clone()
    changed.flatten(1)[:, place[-1]] = (changed.flatten(1)[:, place[-1]] + 1) % model.levels
    again = posterior(model, changed).map.flatten(1)
    torch.testing.assert_close(again[:, place[:-1]], found[:, place[:-1]], rtol=1e-6, atol=1e-6)


def test_probabilities_over_all_levels_of_a_sub_pixel_add_up_to_one(model):
    image = noise(model, 1)
    last = int(model.order.flatten().argmax())
    images = image.expand(5, -1, -1, -1).clone()
    images.flatten(1)[:, last] = torch.arange(5, dtype=torch.uint8)
    last_maps = posterior(model, images).map.flatten(1)[:, last]
    assert float(last_maps.exp().sum()) == pytest.approx(1, abs=1e-6)


def test_maps_of_bits_add_up_to_the_score(model):
    images = noise(model, 3)
    maps = torch.cat([bits for _, bits in bit_maps(model, images)])
    assert maps.shape == (3, 3, 4)
    expected = torch.from_numpy(nx.score(model, images)["nats"]) / math.log(2)
    torch.testing.assert_close(maps.flatten(1).sum(dim=1), expected)


def test_maps_of_every_family(variant):
    model = sharper(tiny(variant)).eval()
    images = noise(model, 3)
    ((batch, bits),) = list(bit_maps(model, images))
    with torch.no_grad():
        expected = -model.log_prob_map(images).double().sum(dim=1) / math.log(2)
    assert torch.equal(batch, images)
    torch.testing.assert_close(bits, expected)


def test_a_model_without_classes_has_no_posterior():
    with pytest.raises(ModelError, match="conditioned on labels"):
        posterior(tiny("gated-pixelcnn"), noise(tiny("gated-pixelcnn"), 1))

"""Every family with every head: a distribution over images, causal, and the same step by step."""

import pytest
import torch

import nextpixel as nx
from helpers.tiny_models import every_image, noise, sharper, tiny
from nextpixel.errors import ModelError
from nextpixel.verify import stepwise_difference

MIXTURE = {"head": "logistic-mixture", "components": 2}


@pytest.mark.parametrize(("shape", "levels"), [((1, 2, 3), 2), ((3, 1, 2), 2), ((2, 1, 2), 3)])
def test_probabilities_of_all_images_sum_to_one(family, shape, levels):
    model = sharper(tiny(family, shape, levels, **MIXTURE), 4.0).double().eval()
    assert model.log_prob(every_image(shape, levels)).exp().sum().item() == pytest.approx(1, abs=1e-9)


@pytest.mark.parametrize("shape", [(1, 3, 5), (3, 3, 4)])
def test_it_is_causal_and_the_same_step_by_step(family, shape):
    model = sharper(tiny(family, shape, 5, **MIXTURE))
    report = nx.check_causality(model, outputs=12)
    assert report.ok, str(report)
    assert stepwise_difference(model.double().eval()) < 1e-10


def test_logits_and_log_probabilities_agree(family):
    model = sharper(tiny(family, (3, 3, 4), 5, **MIXTURE)).double().eval()
    images = noise(model, 2)
    chosen = model.logits(images).log_softmax(1).gather(1, images[:, None].long())[:, 0]
    torch.testing.assert_close(chosen, model.log_prob_map(images))


def test_a_folder_names_the_head(family, tmp_path):
    model = tiny(family, (3, 3, 4), 5, default_condition=False, **MIXTURE).eval()
    model.save(tmp_path)
    loaded = nx.load(tmp_path)
    assert loaded.options["head"] == "logistic-mixture"
    assert loaded.options["components"] == 2
    images = noise(model, 2)
    assert torch.equal(loaded.log_prob(images), model.log_prob(images))


def test_the_head_that_was_there_before_the_choice_is_not_named(family):
    model = tiny(family, (1, 3, 4), 5)
    assert ("head" in model.options) == (type(model.config).head != "softmax")


def test_an_unknown_head_is_refused(family):
    with pytest.raises(ModelError, match="there is no head 'gaussian'"):
        tiny(family, head="gaussian")


@pytest.mark.parametrize("family", ["gated-pixelcnn", "pixelcnn"])
def test_the_codec_of_tiles_refuses_a_head_that_it_does_not_know(family):
    model = tiny(family, (1, 3, 4), 5, **MIXTURE).eval()
    with pytest.raises(ModelError, match="softmax"):
        nx.compress(model, noise(model, 1))

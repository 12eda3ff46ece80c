import math
import statistics

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import nextpixel as nx
from helpers.tiny_models import many, noise, sharper, tiny
from nextpixel.errors import InputError
from nextpixel.scoring.likelihood import Likelihood, batch_size_for, log_probs


@pytest.fixture
def model(family):
    return sharper(tiny(family, (3, 2, 4), 5, dropout=0.4))


@pytest.mark.parametrize("batch_size", [1, 3, 11, 100, None])
def test_the_mean_is_over_every_image(model, batch_size):
    images = noise(model, 11)
    found = nx.evaluate(model, images, batch_size=batch_size)
    model.eval()
    nats = [-model.log_prob(images[index, None]).item() for index in range(11)]
    assert found.images == 11
    assert found.nats == pytest.approx(statistics.fmean(nats), rel=1e-5)
    assert found.nats_standard_error == pytest.approx(statistics.stdev(nats) / math.sqrt(11), rel=1e-4)
    assert found.bits_per_dim == pytest.approx(statistics.fmean(nats) / (24 * math.log(2)), rel=1e-5)
    assert found.bits_per_dim_standard_error == pytest.approx(found.nats_standard_error / (24 * math.log(2)))
    assert found.bits_per_dim == pytest.approx(model.bits_per_dim(images).mean().item(), rel=1e-5)


@pytest.mark.parametrize("training", [True, False])
def test_the_mode_is_restored_and_dropout_is_off(model, training):
    model.train(training)
    images = noise(model, 4)
    assert nx.evaluate(model, images) == nx.evaluate(model, images)
    assert model.training is training


def test_the_mode_is_restored_after_a_fault(model):
    with pytest.raises(InputError):
        nx.evaluate(model, noise(model, 4).float())
    assert model.training


def test_each_image_keeps_its_place(model):
    images = noise(model, 7)
    nats = log_probs(model, images, batch_size=3)
    assert nats.dtype == torch.float64 and nats.shape == (7,) and not nats.requires_grad
    torch.testing.assert_close(nats, model.eval().log_prob(images).detach().double(), atol=1e-4, rtol=1e-5)
    torch.testing.assert_close(log_probs(model, images.flip(0), batch_size=2).flip(0), nats, atol=1e-4, rtol=1e-5)


def test_a_set_is_scored_as_its_images(model, tmp_path, monkeypatch):
    monkeypatch.setenv("NEXTPIXEL_CACHE", str(tmp_path))
    pixels = np.random.default_rng(0).integers(0, 256, (7, 2, 4, 3)).astype(np.uint8)
    images = nx.open_images(pixels, levels=5)
    assert nx.evaluate(model, images, batch_size=3) == nx.evaluate(model, images[:], batch_size=3)
    with pytest.raises(InputError, match="256 levels"):
        nx.evaluate(model, nx.open_images(pixels))


def test_progress_adds_up_to_all_images(model):
    steps = []
    nx.evaluate(model, noise(model, 11), batch_size=4, advance=steps.append)
    assert steps == [4, 4, 3]


def test_no_images_are_refused(model):
    with pytest.raises(InputError, match="no images to evaluate"):
        nx.evaluate(model, noise(model, 0))


def test_one_image_has_no_error(model):
    found = nx.evaluate(model, noise(model, 1))
    assert found.images == 1 and found.nats_standard_error == found.bits_per_dim_standard_error == 0


def test_it_reads_as_text():
    text = str(Likelihood.of(torch.arange(1000.0) / 100, 12))
    assert "4.995 ± 0.091 nats" in text and "0.6005 ± 0.0110 bits/dim" in text and "1,000 images" in text


@many
@given(nats=st.lists(st.floats(0, 1e6), min_size=2, max_size=20), dimensions=st.integers(1, 5000))
def test_the_figures_are_those_of_the_textbook(nats, dimensions):
    found = Likelihood.of(torch.tensor(nats, dtype=torch.float64), dimensions)
    assert found.nats == pytest.approx(statistics.fmean(nats), abs=1e-6)
    assert found.nats_standard_error == pytest.approx(statistics.stdev(nats) / math.sqrt(len(nats)), abs=1e-6)
    assert found.bits_per_dim * dimensions * math.log(2) == pytest.approx(found.nats)


def test_batches_shrink_as_the_logits_grow(family):
    assert batch_size_for(tiny(family, (1, 2, 2), 2)) == 256
    large = tiny(family, (3, 64, 64), 256)
    assert 1 <= batch_size_for(large) < 10


@pytest.mark.parametrize("function", [nx.evaluate, nx.score])
def test_an_array_and_a_list_are_scored_as_a_tensor(model, function):
    images = noise(model, 3)
    as_text = str(function(model, images))
    for same in (images.numpy(), images.numpy().astype(">u2"), images.numpy()[::-1].copy()[::-1], list(images.numpy())):
        assert str(function(model, same)) == as_text


@pytest.mark.parametrize("function", [nx.evaluate, nx.score])
@pytest.mark.parametrize("images", [None, "folder", 3, np.zeros((3, 2, 4), np.uint8), np.zeros((1, 3, 2, 4))])
def test_what_is_no_set_of_images_is_refused(model, function, images):
    with pytest.raises(InputError, match="images must be"):
        function(model, images)


@pytest.mark.parametrize("function", [nx.evaluate, nx.score, nx.compress])
def test_the_path_of_a_model_is_no_model(model, function):
    with pytest.raises(InputError, match=r"a model is needed, not 'runs/mine'.*nextpixel\.load"):
        function("runs/mine", noise(model, 3))


def test_one_image_has_no_error_figure():
    text = str(Likelihood.of(torch.tensor([70.0]), 64))
    assert "±" not in text and "70.000 nats" in text and "1 image" in text

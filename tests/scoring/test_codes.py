"""Codes of sets, which do not depend on how the images are given or divided."""

import numpy as np
import pytest
import torch

import nextpixel as nx
from helpers.tiny_models import noise, tiny
from nextpixel.errors import InputError, ModelError
from nextpixel.scoring import codes as module
from nextpixel.scoring.codes import codes

SHAPE = (1, 4, 4)


def test_every_image_has_its_code_however_many_are_encoded_at_once(monkeypatch):
    model = tiny("autoencoder", SHAPE, dropout=0.5).train()
    images = noise(model, 7)
    with torch.no_grad():
        expected = torch.cat([model.eval().encode(image[None]) for image in images])
    model.train()
    for size in (1, 3, 7, 100):
        steps = []
        monkeypatch.setattr(module, "batch_size_for", lambda _, size=size: size)
        found = codes(model, images, advance=steps.append)
        torch.testing.assert_close(found, expected)
        assert sum(steps) == 7 and model.training


def test_images_may_come_in_any_form(tmp_path, monkeypatch):
    monkeypatch.setenv("NEXTPIXEL_CACHE", str(tmp_path))
    model = tiny("autoencoder", SHAPE)
    images = noise(model, 5)
    np.savez(tmp_path / "images.npz", images=images[:, 0].numpy(), levels=3)
    expected = codes(model, images)
    for same in (images.numpy(), list(images), nx.open_images(tmp_path / "images.npz")):
        assert torch.equal(codes(model, same), expected)


@pytest.mark.parametrize("model", [tiny("gated-pixelcnn", SHAPE), None, "model"])
def test_only_an_autoencoder_has_codes(model):
    with pytest.raises((ModelError, InputError), match=r"autoencoder has codes|a model is needed"):
        codes(model, torch.zeros(2, *SHAPE, dtype=torch.uint8))


def test_images_of_another_size_are_refused():
    with pytest.raises(InputError, match="shape"):
        codes(tiny("autoencoder", SHAPE), torch.zeros(2, 1, 5, 4, dtype=torch.uint8))

import numpy as np
import pytest

import nextpixel as nx
from helpers.tiny_models import OPTIONS, takes


@pytest.fixture
def shapes(monkeypatch, tmp_path):
    """60 images of 5 x 4 with 3 levels, with something to learn: each is one of four patterns, with a few errors."""
    monkeypatch.setenv("NEXTPIXEL_CACHE", str(tmp_path / "cache"))
    generator = np.random.default_rng(0)
    patterns = generator.integers(0, 3, (4, 5, 4))
    images = patterns[generator.integers(0, 4, 60)]
    noise = generator.random(images.shape) < 0.05
    images = np.where(noise, generator.integers(0, 3, images.shape), images).astype(np.uint8)
    path = tmp_path / "shapes.npz"
    np.savez(path, images=images, levels=3)
    return path


@pytest.fixture
def tiny():
    """Builds the same tiny model, with dropout so that noise matters, every time it is called."""

    def build(family="gated-pixelcnn", **options):
        import torch

        torch.manual_seed(0)
        usual = {"features": 6, "layers": 2, "first_kernel_size": 3, "dropout": 0.2, **OPTIONS.get(family, {})}
        options = {name: value for name, value in usual.items() if takes(family, name)} | options
        if not takes(family, "dropout"):
            options.pop("dropout", None)
        return nx.build(family, image_shape=(1, 5, 4), levels=3, **options)

    return build

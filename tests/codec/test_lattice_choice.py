"""The encoder finds the lattice that a picture lies on, and none where there is none."""

import numpy as np
import pytest
import torch

import nextpixel as nx
from helpers.lattice_pictures import picture_on
from helpers.tiny_models import tiny
from nextpixel.codec.container import LATTICE_PICTURES, PICTURES, read
from nextpixel.coding.colour_lattices import LATTICES


@pytest.fixture(scope="module")
def model():
    return nx.load("nextpixel/photographs")


def free(height=60, width=80, seed=0):
    """The same kind of picture, of any colours."""
    picture = picture_on(1, height, width, seed=seed).astype(np.int64)
    noise = np.random.default_rng(seed).integers(-1, 2, picture.shape)
    return (picture + noise).clip(0, 255).astype(np.uint8)


@pytest.mark.parametrize("lattice", LATTICES)
def test_a_picture_on_a_lattice_is_told_and_smaller(model, lattice):
    picture = torch.from_numpy(picture_on(lattice, 60, 80))
    data = nx.compress(model, picture, effort=1)
    contents = read(data)
    assert contents.version == LATTICE_PICTURES and contents.lattices[0].lattice == lattice
    assert torch.equal(nx.decompress(model, data), picture)
    assert len(data) < 0.8 * len(nx.compress(model, torch.from_numpy(free()), effort=1))


def test_other_pictures_lie_on_none(model):
    grey = torch.from_numpy(free()[:1]).expand(3, -1, -1)
    pictures = [torch.from_numpy(free()), grey, torch.from_numpy(free()[:1]), torch.from_numpy(free(3, 4))]
    contents = read(nx.compress(model, pictures, effort=1))
    assert (contents.version, contents.lattices) == (PICTURES, {})


def test_of_several_pictures_each_has_its_own(model):
    transparent = np.concatenate([picture_on(3, 50, 60), free(50, 60)[:1]])
    pictures = [picture_on(2, 50, 60), free(50, 60), transparent, picture_on(1, 60, 50)]
    images = [torch.from_numpy(picture) for picture in pictures]
    data = nx.compress(model, images, effort=1)
    contents = read(data)
    assert {number: on.lattice for number, on in contents.lattices.items()} == {0: 2, 2: 3, 3: 1}
    assert all(map(torch.equal, nx.decompress(model, data), images))
    assert torch.equal(nx.decompress(model, data, only=2), images[2])


@pytest.mark.parametrize(("channels", "levels"), [(3, 255), (1, 256), (2, 256), (4, 256)])
def test_models_of_other_colours_or_levels_have_none(channels, levels):
    model = tiny("local-pixelcnn", (channels, 4, 5), levels).eval()
    picture = torch.from_numpy(picture_on(1, 60, 80).clip(0, levels - 1))
    assert read(nx.compress(model, picture, effort=1)).lattices == {}

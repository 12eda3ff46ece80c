"""Whole images as they are trained on, with left and right mirrored or not."""

import pytest
import torch

import nextpixel as nx
from helpers.training_runs import run
from nextpixel.data.memory import as_image_set
from nextpixel.training.images import WholeImages


@pytest.fixture
def images():
    return as_image_set(torch.arange(40 * 12).view(40, 1, 3, 4).remainder(7).to(torch.uint8), 7)


def test_images_are_as_they_are_unless_flips_are_asked_for(images):
    indices = list(range(40))
    assert torch.equal(WholeImages(images).batch(indices, draw=3), images[:])
    assert WholeImages(images).name == images.name


def test_one_image_in_two_is_mirrored_by_seed_step_and_place(images):
    flipped, indices = WholeImages(images, 5, flips=True), list(range(40))
    assert flipped.name == f"{images.name} with flips" and flipped.fingerprint == images.fingerprint
    batch, originals = flipped.batch(indices, draw=3), images[:]
    mirrored = (batch == originals.flip(3)).flatten(1).all(1)
    assert (mirrored | (batch == originals).flatten(1).all(1)).all()
    assert 10 < int(mirrored.sum()) < 30
    assert torch.equal(flipped.batch(indices, draw=3), batch)
    assert not torch.equal(flipped.batch(indices, draw=4), batch)
    assert not torch.equal(WholeImages(images, 6, flips=True).batch(indices, draw=3), batch)
    # A part of a batch is the same wherever it is computed.
    assert torch.equal(flipped.batch(indices[10:20], draw=3, place=10), batch[10:20])


def test_a_run_with_flips_says_so(tiny, shapes, tmp_path):
    run(tiny(), shapes, tmp_path / "run", augment="flips", steps=2, validations=1, grids=0)
    assert "with flips" in nx.load(tmp_path / "run").record.data

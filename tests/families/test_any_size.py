"""Families that do not know positions take images of any height and width."""

import pytest
import torch

import nextpixel as nx
from helpers.tiny_models import seeded, sharper, tiny
from nextpixel.errors import InputError
from nextpixel.families.build import family_class
from nextpixel.generation.walk import walk

FREE = [name for name in nx.models() if not family_class(name).knows_positions]


def test_these_are_the_families():
    assert FREE == ["gated-pixelcnn", "local-pixelcnn", "pixelcnn"]


@pytest.mark.parametrize("family", FREE)
@pytest.mark.parametrize("size", [(1, 1), (2, 9), (9, 2), (7, 8)])
def test_both_computations_agree_at_any_size(family, size):
    model = sharper(tiny(family, (3, 4, 5), 7)).double().eval()
    blank = torch.zeros(2, 3, *size, dtype=torch.uint8)
    drawn = walk(model, blank, torch.zeros_like(blank, dtype=torch.bool), {}, generator=seeded())
    torch.testing.assert_close(model.log_prob_map(drawn.images), drawn.log_prob_map, atol=1e-10, rtol=0)


@pytest.mark.parametrize("family", FREE)
def test_what_is_far_away_changes_nothing(family):
    """A larger image has the same probabilities where its lower right part is out of reach."""
    model = tiny(family, (1, 4, 5), 7).double().eval()
    images = torch.randint(7, (1, 1, 12, 30))
    torch.testing.assert_close(model.log_prob_map(images)[..., :12], model.log_prob_map(images[..., :26])[..., :12])


@pytest.mark.parametrize("family", FREE)
def test_completing_takes_any_size(family):
    model = tiny(family, (1, 4, 5), 7).eval()
    images, known = torch.randint(7, (2, 1, 6, 9)), torch.rand(6, 9) < 0.5
    completed = model.complete(images, known, generator=seeded())
    assert torch.equal(completed[..., known].long(), images[..., known])


@pytest.mark.parametrize("family", FREE)
def test_with_a_map_as_condition_the_size_is_that_of_the_model(family):
    model = tiny(family, (1, 4, 5), 7, default_condition=False, condition=nx.Map(2, (2, 3)))
    with pytest.raises(InputError, match="must have the shape"):
        model.log_prob(torch.zeros(1, 1, 6, 9, dtype=torch.uint8), torch.zeros(1, 2, 2, 3))


def test_other_families_know_positions():
    model = tiny("diagonal-bilstm", (1, 4, 5), 7)
    with pytest.raises(InputError, match="must have the shape"):
        model.log_prob(torch.zeros(1, 1, 6, 9, dtype=torch.uint8))

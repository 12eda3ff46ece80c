import pytest
import torch

import nextpixel as nx
from helpers.tiny_models import every_image, noise, seeded, sharper
from nextpixel.errors import ModelError
from nextpixel.families.configs import INNER
from nextpixel.generation.known import known_mask, known_too_late

SIDES = ["top", "bottom", "left", "right"]


def made(order, inner="gated-pixelcnn", shape=(2, 4, 6), levels=3, **options):
    torch.manual_seed(1)
    features = 8 if inner == "gated-pixelcnn" else 16
    return nx.build(
        "turned", image_shape=shape, levels=levels, inner=inner, order=order, features=features, layers=2, **options
    )


@pytest.mark.parametrize("order", SIDES)
@pytest.mark.parametrize("inner", INNER)
def test_every_family_is_causal_from_every_side(order, inner):
    report = nx.check_causality(made(order, inner))
    assert report.ok, str(report)


@pytest.mark.parametrize("order", SIDES)
def test_the_half_at_its_side_comes_first(order):
    model = made(order)
    known = known_mask(order, 4, 6)
    assert known_too_late(known, model.order) == 0
    others = [known_too_late(known_mask(side, 4, 6), model.order) for side in SIDES if side != order]
    assert min(others) > 0
    first = {"top": (0, 0, 0), "bottom": (0, 3, 0), "left": (0, 0, 0), "right": (0, 0, 5)}
    second = {"top": (0, 0, 1), "bottom": (0, 3, 1), "left": (0, 1, 0), "right": (0, 1, 5)}
    assert model.order[first[order]] == 0 and model.order[second[order]] == 2


@pytest.mark.parametrize("order", SIDES)
def test_probabilities_sum_to_one_and_images_are_drawn_as_often_as_they_say(order):
    model = sharper(made(order, shape=(1, 2, 2), levels=2)).double().eval()
    images = every_image((1, 2, 2), 2)
    with torch.no_grad():
        shares = model.log_prob(images).exp()
    assert shares.sum().item() == pytest.approx(1, abs=1e-9)
    drawn = model.sample(4000, generator=seeded()).flatten(1).long()
    found = (drawn * torch.tensor([8, 4, 2, 1])).sum(1).bincount(minlength=16) / 4000
    torch.testing.assert_close(found.double(), shares, atol=0.03, rtol=0)


@pytest.mark.parametrize("order", SIDES)
def test_rows_are_watched_as_they_appear(order):
    model = sharper(made(order, shape=(1, 4, 6))).double()
    seen = []
    images = model.sample(3, generator=seeded(), watch=lambda each: seen.append(each.clone()))
    assert len(seen) == (4 if order in ("top", "bottom") else 6)
    assert torch.equal(seen[-1], images)
    half = known_mask(order, 4, 6)
    assert torch.equal(seen[len(seen) // 2 - 1][..., half], images[..., half])
    assert not seen[len(seen) // 2 - 1][..., ~half].any()


def test_a_map_is_turned_with_the_image():
    model = sharper(made("right", condition=nx.Map(1, (4, 14)), shape=(1, 4, 14))).double()
    images, places = noise(model, 1), torch.zeros(1, 1, 4, 14)
    before = model.log_prob_map(images, places)
    places[..., 0] = 3
    changed = (model.log_prob_map(images, places) != before)[0, 0]
    # The left edge comes last, so what is said of it reaches no further to the right than the upsampling does.
    assert changed[:, 0].all() and not changed[:, 8:].any()


def test_another_side_is_refused():
    with pytest.raises(ModelError, match="order must be one of top, bottom, left, right, not 'middle'"):
        made("middle")
    with pytest.raises(ModelError, match="inner must be one of"):
        made("left", inner="multiscale")

import itertools
import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import nextpixel as nx
from helpers.tiny_models import (
    SHAPES,
    UNBOUNDED,
    VARIANTS,
    Backwards,
    begins_with_what_is_known,
    every_image,
    few,
    mixed,
    noise,
    seeded,
    sharper,
    tiny,
)
from nextpixel.errors import InputError
from nextpixel.generation.walk import walk
from nextpixel.nn.distributions import SamplingParams


def sharp(family, shape=(3, 2, 3), levels=4):
    """In float64, so that no draw hangs on a rounding."""
    model = Backwards(shape, levels) if family == "backwards" else tiny(family, shape, levels)
    return sharper(model, 1.0).double()


def none_known(count, model):
    return torch.zeros(count, *model.image_shape, dtype=torch.bool)


@pytest.mark.parametrize(("shape", "levels", "temperature"), mixed(SHAPES, [2, 5, 256], [1.0, 0.5, 0.0]))
def test_drawn_step_by_step_or_scored_at_once_is_the_same(variant, shape, levels, temperature):
    model = sharper(tiny(variant, shape, levels, dropout=0.3))
    if variant.startswith(UNBOUNDED):
        model.double()
    blank = noise(model, 3)
    images, nats = walk(
        model,
        blank,
        none_known(3, model),
        model.condition_values(None, 3),
        sampling=SamplingParams(temperature),
        generator=seeded(),
    )
    assert images.dtype == torch.uint8 and images.shape == nats.shape == (3, *shape)
    with torch.no_grad():
        torch.testing.assert_close(nats, model.eval().log_prob_map(images), atol=1e-4, rtol=1e-4)


def test_any_order_is_walked_as_it_is():
    model = sharp("backwards")
    images, nats = walk(model, noise(model, 3), none_known(3, model), {}, generator=seeded())
    torch.testing.assert_close(nats.double(), model.log_prob_map(images).detach(), atol=1e-6, rtol=1e-6)


@pytest.mark.parametrize(("shape", "levels"), [((1, 1, 2), 3), ((3, 1, 1), 2), ((1, 2, 1), 3)])
@pytest.mark.parametrize("temperature", [1.0, 0.5])
def test_images_are_drawn_as_often_as_their_probability_says(family, shape, levels, temperature):
    model = sharp(family, shape, levels).eval()
    images, count = every_image(shape, levels), 3000
    with torch.no_grad():
        logits = model.logits(images) / temperature
    nats = logits.log_softmax(1).gather(1, images[:, None]).flatten(1).sum(1)
    expected = nats.exp() * count
    drawn = model.sample(count, temperature=temperature, generator=seeded())
    place = (drawn.flatten(1).long() * levels ** torch.arange(math.prod(shape)).flip(0)).sum(1)
    assert torch.equal(images[place], drawn.long())
    found = place.bincount(minlength=len(images))
    assert ((found - expected).abs() <= 4.5 * (expected * (1 - nats.exp())).sqrt() + 1).all()
    # The test would pass on a uniform distribution too, were the probabilities not far apart.
    assert expected.max() > 3 * expected.min()


@pytest.mark.parametrize("variant", [*VARIANTS, "backwards"])
def test_the_first_of_many_samples_are_those_of_few(variant):
    model = sharp(variant)
    many = model.sample(70, generator=seeded(3))
    for count in (1, 10, 64, 65):
        assert torch.equal(model.sample(count, generator=seeded(3)), many[:count])
    assert len(many.unique(dim=0)) > 10


def test_a_seed_gives_the_same_samples_and_another_one_others(family):
    model = sharp(family)
    first = model.sample(5, generator=seeded(1))
    assert first.dtype == torch.uint8 and first.shape == (5, 3, 2, 3)
    assert torch.equal(model.sample(5, generator=seeded(1)), first)
    assert not torch.equal(model.sample(5, generator=seeded(2)), first)
    generator = seeded(1)
    assert torch.equal(model.sample(5, generator=generator), first)
    assert not torch.equal(model.sample(5, generator=generator), first)


def test_without_a_generator_the_global_seed_counts(family):
    model = sharp(family)
    torch.manual_seed(5)
    first = model.sample(4)
    assert not torch.equal(model.sample(4), first)
    torch.manual_seed(5)
    assert torch.equal(model.sample(4), first)


def test_temperature_zero_takes_the_most_probable_level_every_time(family):
    model = sharp(family)
    images = model.sample(3, temperature=0)
    assert torch.equal(images, images[:1].expand_as(images))
    assert torch.equal(images.long(), model.eval().logits(images).argmax(dim=1))


def test_a_low_temperature_is_nearly_zero_and_a_high_one_uniform(family):
    model = sharp(family)
    assert torch.equal(model.sample(3, temperature=1e-5), model.sample(3, temperature=0))
    shares = model.sample(200, temperature=1e9, generator=seeded()).flatten().bincount(minlength=4) / (200 * 18)
    assert shares.tolist() == pytest.approx([0.25] * 4, abs=0.03)


masks = st.integers(0, 2**6 - 1).map(lambda bits: torch.tensor([bool(bits >> at & 1) for at in range(6)]).view(2, 3))


@pytest.mark.parametrize("variant", [*VARIANTS, "backwards"])
@few
@given(known=masks, seed=st.integers(0, 99), one_for_all=st.booleans())
def test_completing_what_was_sampled_gives_it_back(variant, known, seed, one_for_all):
    """With the same numbers drawn: what is given instead of drawn plays the same part."""
    if variant != "backwards" and begins_with_what_is_known(variant):
        pytest.skip("what is known changes the order in which it draws")
    model = sharp(variant)
    sampled = model.sample(4, generator=seeded(seed))
    if not one_for_all:
        known = torch.stack([known, ~known, known.flip(0), known.flip(1)])
    hidden = known.expand(4, 2, 3)[:, None].expand_as(sampled)
    damaged = torch.where(hidden, sampled, noise(model, 4, seed))
    assert torch.equal(model.complete(damaged, known, generator=seeded(seed)), sampled)


@few
@given(
    known=masks | st.lists(masks, min_size=3, max_size=3).map(torch.stack),
    seed=st.integers(0, 99),
    temperature=st.sampled_from([0.0, 1.0]),
)
def test_known_pixels_come_back_and_others_do_not_matter(variant, known, seed, temperature):
    model = sharp(variant)
    images = noise(model, 3, seed, torch.int64)
    result = model.complete(images, known, temperature=temperature, generator=seeded(seed))
    assert result.dtype == torch.uint8 and result.max() < 4
    given_there = known.expand(3, 2, 3)[:, None].expand_as(images)
    assert torch.equal(result[given_there].long(), images[given_there])
    wild = torch.where(given_there, images, torch.randint(-(2**40), 2**40, images.shape))
    assert torch.equal(model.complete(wild, known, temperature=temperature, generator=seeded(seed)), result)


def test_what_is_known_out_of_range_is_refused(family):
    model = sharp(family)
    images, known = noise(model, 2), torch.zeros(2, 3, dtype=torch.bool)
    images[1, 2, 1, 2] = 4
    model.complete(images, known)
    known[1, 2] = True
    with pytest.raises(InputError, match="to 4"):
        model.complete(images, known)


def test_where_all_is_known_nothing_changes(family):
    model = sharp(family)
    images = noise(model, 3)
    assert torch.equal(model.complete(images, torch.ones(2, 3, dtype=torch.bool)), images)
    nats = walk(model, images, torch.ones_like(images, dtype=torch.bool), model.condition_values(None, 3)).log_prob_map
    assert not nats.any()


def test_the_arguments_are_not_changed(family):
    model = sharp(family)
    images, known = noise(model, 3), torch.zeros(2, 3, dtype=torch.bool)
    before = images.clone()
    model.complete(images, known)
    walk(model, images, none_known(3, model), model.condition_values(None, 3), generator=seeded())
    assert torch.equal(images, before) and not known.any()


def test_known_pixels_shape_those_after_them(family):
    """Given its first pixel, the rest of an image is a draw from the conditional distribution."""
    model = sharp(family, (1, 1, 2), 3).eval()
    known = torch.tensor([[True, False]])
    second = model.order.flatten().tolist().index(1)
    if second == 0:
        known = ~known
    for first in range(3):
        images = torch.full((1000, 1, 1, 2), first)
        with torch.no_grad():
            expected = model.logits(images[:1]).softmax(1).flatten(1).view(3, 2)[:, second]
        drawn = model.complete(images, known, generator=seeded(first)).flatten(1)[:, second]
        shares = drawn.bincount(minlength=3) / 1000
        assert shares.tolist() == pytest.approx(expected.tolist(), abs=0.06)


@pytest.mark.parametrize("training", [True, False])
def test_the_mode_is_restored_and_dropout_is_off(family, training):
    model = sharper(tiny(family, (1, 2, 3), 4, dropout=0.5)).double().train(training)
    first = model.sample(4, generator=seeded())
    assert model.training is training
    assert torch.equal(model.sample(4, generator=seeded()), first)
    assert not first.requires_grad


def test_the_mode_is_restored_after_a_fault(family, monkeypatch):
    model = tiny(family)
    monkeypatch.setattr(model, "fill", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        model.sample(1)
    assert model.training


@pytest.mark.parametrize("count", [1, 70])
def test_progress_adds_up_to_all_sub_pixels(family, count):
    model, steps = tiny(family, (2, 1, 3)), []
    model.sample(count, advance=steps.append)
    assert sum(steps) == count * 6 and min(steps) > 0
    steps.clear()
    model.complete(noise(model, count), torch.ones(1, 3, dtype=torch.bool), advance=steps.append)
    assert sum(steps) == count * 6


def test_no_images_are_completed_to_none(family):
    model = tiny(family, (1, 2, 2))
    nothing = torch.zeros(0, 1, 2, 2, dtype=torch.uint8)
    assert model.complete(nothing, torch.zeros(2, 2, dtype=torch.bool)).shape == (0, 1, 2, 2)


def test_rows_are_watched_as_they_appear(family):
    model, seen = sharp(family, (1, 4, 5)), []
    images = model.sample(3, generator=seeded(), watch=lambda each: seen.append(each.clone()))
    assert torch.equal(seen[-1], images) and len(seen) >= 4
    for before, after in itertools.pairwise(seen):
        drawn = before != 0
        assert torch.equal(after[drawn], before[drawn])


def test_few_images_are_drawn_at_once_where_their_features_are_many(family):
    model = tiny(family)
    few_at_once = model.images_at_once
    assert few_at_once == 256
    wide = nx.build(family, image_shape=(1, 2, 4096), levels=2, features=192, layers=6)
    assert 1 <= wide.images_at_once < 32

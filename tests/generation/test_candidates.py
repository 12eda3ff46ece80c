import pytest
import torch

from helpers.tiny_models import begins_with_what_is_known, every_image, noise, seeded, sharper, tiny
from nextpixel.errors import InputError
from nextpixel.generation.candidates import choose_candidates


def skip_where_candidates_are_refused(family):
    if begins_with_what_is_known(family):
        pytest.skip("it is exact without candidates")


def exact(model, known, image):
    """The distribution of whole images given the known pixels, over all images there are."""
    images = every_image(model.image_shape, model.levels)
    fits = (images == image)[..., known].flatten(1).all(dim=1)
    with torch.no_grad():
        return images[fits], model.log_prob(images[fits]).softmax(dim=0)


def test_many_candidates_are_a_draw_given_the_pixels_that_come_later():
    model = sharper(tiny("gated-pixelcnn", (1, 2, 2), 3), 3.0).double().eval()
    known = torch.tensor([[False, False], [False, True]])
    image = torch.full((1, 1, 2, 2), 2)
    images, shares = exact(model, known, image)
    count = 600
    repeated = image.repeat(count, 1, 1, 1)

    def distance(candidates):
        drawn = model.complete(repeated, known, candidates=candidates, generator=seeded()).long()
        found = (drawn[:, None] == images[None]).flatten(2).all(dim=2).double().mean(dim=0)
        return float((found - shares).abs().sum())

    one, many = distance(1), distance(50)
    assert many < 0.2 < one


@pytest.mark.parametrize("known", ["before", "nothing", "everything"])
def test_where_nothing_comes_too_late_all_candidates_have_a_say(family, known):
    skip_where_candidates_are_refused(family)
    model = sharper(tiny(family, (1, 3, 4), 3)).double().eval()
    mask = torch.zeros(3, 4, dtype=torch.bool)
    if known == "before":
        mask[tuple(torch.nonzero(model.order[0] == 0)[0])] = True
    mask |= known == "everything"
    images, values = noise(model, 2), model.condition_values(None, 2)
    chosen = choose_candidates(model, images, mask.expand(2, 1, 3, 4), values, 5, generator=seeded())
    assert chosen.effective.tolist() == pytest.approx([5, 5], abs=1e-6)
    assert torch.equal(chosen.images[..., mask], images[..., mask])


def test_known_pixels_come_back_and_a_seed_repeats(family):
    skip_where_candidates_are_refused(family)
    model = sharper(tiny(family, (1, 3, 4), 3)).double()
    known = torch.rand(3, 4, generator=seeded(2)) < 0.5
    images, steps = noise(model, 3), []
    one = model.complete(images, known, candidates=4, generator=seeded(1), advance=steps.append)
    assert torch.equal(one[..., known], images[..., known])
    assert sum(steps) == 3 * 4 * 12
    assert torch.equal(model.complete(images, known, candidates=4, generator=seeded(1)), one)
    assert model.training


def test_an_image_does_not_depend_on_how_many_are_completed_with_it(family):
    skip_where_candidates_are_refused(family)
    model = sharper(tiny(family, (1, 3, 4), 3)).double()
    known = torch.rand(3, 4, generator=seeded(2)) < 0.5
    images = noise(model, 5)
    together = model.complete(images, known, candidates=4, generator=seeded(1))
    for count in (1, 3):
        assert torch.equal(model.complete(images[:count], known, candidates=4, generator=seeded(1)), together[:count])


def test_no_images_are_completed_to_none(family):
    skip_where_candidates_are_refused(family)
    model = tiny(family, (1, 2, 2))
    nothing = torch.zeros(0, 1, 2, 2, dtype=torch.uint8)
    assert model.complete(nothing, torch.zeros(2, 2, dtype=torch.bool), candidates=3).shape == (0, 1, 2, 2)


@pytest.mark.parametrize("candidates", [0, -1, 2.0])
def test_the_number_must_make_sense(candidates):
    model = tiny("gated-pixelcnn")
    with pytest.raises(InputError, match="candidates must be an integer of at least 1"):
        model.complete(noise(model, 1), torch.ones(3, 4, dtype=torch.bool), candidates=candidates)

"""How long a model is fitted to pictures, and what it learns; that files become smaller is seen in test_local_codec."""

from itertools import islice, pairwise

import pytest
import torch

from helpers.tiny_models import tiny
from nextpixel.codec import fitting
from nextpixel.codec.adaptation import adapted
from nextpixel.codec.fitting import EFFORTS, MOST_TIMES, SHORT, USUAL_PIXELS, Effort, Pixels, drawn, fit, nats, walk
from nextpixel.model_files.stored import stored_model


def pixels_of(model, count=20_000, coded=3):
    """Random windows, whose pixels are all of one colour."""
    torch.manual_seed(1)
    windows = torch.randint(90, 110, (count, len(model.window.offsets), 3)).float()
    values = torch.full((count, 3), 77)
    number = torch.full((count,), coded)
    return Pixels(lambda n: windows[n], lambda n: values[n], lambda n: number[n], count, count * coded)


def test_it_saves_bits_and_leaves_the_model_as_it_is(monkeypatch):
    monkeypatch.setitem(fitting.EFFORTS, 5, Effort(30, pixels=128, rate=1e-2))
    model = tiny("local-pixelcnn", (3, 6, 5), 256)
    before = {name: weight.clone() for name, weight in model.state_dict().items()}
    pixels = pixels_of(model)
    done = []
    adaptation = fit(model, pixels, 5, advance=done.append)
    assert done == [1] * 30
    assert all(torch.equal(weight, before[name]) for name, weight in model.state_dict().items())
    assert all(parameter.grad is None for parameter in model.parameters())
    numbers = torch.arange(pixels.count)
    plain = nats(model, pixels, numbers).sum().item()
    weights = adapted(stored_model(model).weights, adaptation)
    model.load_state_dict({name: torch.from_numpy(weight) for name, weight in weights.items()})
    assert nats(model, pixels, numbers).sum().item() < 0.8 * plain


def test_only_named_parameters_change(monkeypatch):
    monkeypatch.setitem(fitting.EFFORTS, 2, Effort(30, parts=("bias",), pixels=128, rate=1e-2))
    model = tiny("local-pixelcnn", (3, 6, 5), 256)
    changed = fit(model, pixels_of(model), 2)
    assert changed and all(name.endswith("bias") for name in changed)


@pytest.mark.parametrize("coded", [1, 2])
def test_colours_that_are_not_coded_cost_nothing(coded):
    model = tiny("local-pixelcnn", (3, 6, 5), 256)
    cost = nats(model, pixels_of(model, coded=coded), torch.arange(20))
    assert (cost[:, :coded] > 0).all() and not cost[:, coded:].any()


@pytest.mark.parametrize(("count", "size"), [(10, 3), (3, 10), (7, 7), (1, 2)])
def test_each_pixel_is_drawn_once_before_any_is_drawn_again(count, size):
    numbers = torch.cat(list(islice(drawn(count, size), 4 * count))).tolist()
    assert len(numbers) == 4 * count * size
    for first in range(0, len(numbers) - count + 1, count):
        assert sorted(numbers[first : first + count]) == list(range(count))
    again = torch.cat(list(islice(drawn(count, size), 4 * count))).tolist()
    assert again == numbers


def test_of_very_many_pixels_no_order_is_kept(monkeypatch):
    monkeypatch.setattr(fitting, "MOST_IN_ORDER", 99)
    numbers = torch.cat(list(islice(drawn(100, 50), 4)))
    assert len(numbers) == 200 and numbers.min() >= 0 and numbers.max() < 100
    assert len(numbers[:100].unique()) < 100


def looked_at(effort, count):
    """How many pixels the steps of an effort look at in all."""
    plan = walk(effort, count)
    return plan.steps * plan.pixels


@pytest.mark.parametrize("effort", EFFORTS)
def test_more_pixels_are_looked_at_for_longer_up_to_a_limit(effort):
    usual = looked_at(effort, 1)
    assert usual == EFFORTS[effort].steps * EFFORTS[effort].pixels
    assert [looked_at(effort, count) for count in (USUAL_PIXELS, 2 * USUAL_PIXELS, 10**9)] == [
        usual * times for times in (1, 2, MOST_TIMES)
    ]


def test_a_long_walk_takes_longer_steps():
    assert [walk(5, times * USUAL_PIXELS).pixels for times in (1, 2, 4)] == [SHORT, SHORT, 2 * SHORT]


@pytest.mark.parametrize("count", [0, 10**5, 10**6, 10**8])
def test_more_effort_is_more_work_or_more_weights(count):
    work = [looked_at(effort, count) for effort in sorted(EFFORTS)]
    assert all(less < more for less, more in pairwise(work[4:]))
    assert work[0] == 0 < work[1] < work[2] <= work[3]

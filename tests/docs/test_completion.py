"""The table of completions is what its script makes of the record, which a benchmark writes."""

import math
from pathlib import Path

import pytest
import torch

from helpers.scripts import load_script
from helpers.tiny_models import every_image, seeded, sharper, tiny

ROOT = Path(__file__).parents[2]


@pytest.fixture
def benchmark(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    return load_script("benchmarks/completion.py")


def test_the_page_is_what_the_script_makes(script, records, check_page):
    check_page(script.PAGE, records)


def test_candidates_are_never_better_than_their_bound(records):
    for record in (record for runs in records.values() for record in runs.values()):
        for measured in record["masks"].values():
            gain = measured["nats"]["rows"][0] - measured["nats"]["candidates"][0]
            assert -1e-9 <= gain <= math.log(record["candidates"]) + 1e-9


def both(benchmark):
    """A tiny model, and the same one in rows."""
    model = sharper(tiny("locally-masked", (1, 2, 2), 3)).double().eval()
    rows = benchmark.InRows(model.image_shape, model.levels, None, **model.options).double().eval()
    rows.load_state_dict(model.state_dict())
    return model, rows


@torch.no_grad()
def test_the_exact_figure_is_the_probability_of_the_rest_given_what_is_known(benchmark):
    model, rows = both(benchmark)
    known = torch.tensor([[False, True], [False, True]])
    images = every_image((1, 2, 2), 3)
    nats = benchmark.measured(model, rows, images, known, 4)["nats"]
    in_order = model.in_order(torch.tensor([[2, 0], [3, 1]]))
    joint = in_order.log_prob(images).exp()
    # Of images that agree on what is known.
    group = images[..., known].flatten(1) @ torch.tensor([3, 1])
    given = torch.stack([joint[group == one].sum() for one in group])
    expected = -(joint / given).log().mean()
    assert nats["exact"][0] == pytest.approx(expected.item(), rel=1e-6)


@torch.no_grad()
def test_the_figure_of_candidates_is_how_often_they_give_the_true_pixels(benchmark):
    _, rows = both(benchmark)
    known = torch.tensor([[False, False], [False, True]])
    images = every_image((1, 2, 2), 3)
    fitting = images[images[:, 0, 1, 1] == 1]
    many = fitting.repeat_interleave(400, dim=0)
    gains = benchmark.gain(benchmark.sums(rows, many, known), benchmark.weights(rows, many, known, 2))
    figures = (benchmark.sums(rows, many, ~known) + gains).exp().view(27, 400)
    assert figures.mean(dim=1).sum().item() == pytest.approx(1, abs=4 * (figures.var(dim=1) / 400).sum().sqrt().item())
    drawn = benchmark.choose_candidates(rows, many, known.expand_as(many), {}, 3, generator=seeded()).images
    often = torch.stack([(drawn == image).flatten(1).all(dim=1).double().mean() for image in fitting])
    assert often.max() > 0.1
    torch.testing.assert_close(figures.mean(dim=1), often, rtol=0, atol=0.03)

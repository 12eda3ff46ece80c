"""Models of any order: causal in each, exact for whatever is known, and averaged over several."""

import itertools
import math

import pytest
import torch

import nextpixel as nx
from helpers.tiny_models import every_image, noise, seeded, sharper, sites, tiny
from nextpixel.cli.app import run
from nextpixel.generation.walk import walk
from nextpixel.nn.locally_masked import LocallyMaskedConv2d, Window
from nextpixel.nn.orders import beginning_with
from nextpixel.scoring.likelihood import evaluate, log_probs
from nextpixel.verify import stepwise_difference

FAMILY = "locally-masked"


def made(shape=(1, 3, 4), levels=3, **options):
    return sharper(tiny(FAMILY, shape, levels, **options)).double().eval()


def random_order(shape, seed):
    return torch.randperm(shape[1] * shape[2], generator=seeded(seed)).view(shape[1:])


@pytest.mark.parametrize("shape", [(1, 5, 7), (3, 3, 4), (2, 1, 6)])
@pytest.mark.parametrize("seed", range(3))
def test_any_order_is_causal_and_sees_what_it_promises(shape, seed):
    model = tiny(FAMILY, shape, 4).in_order(random_order(shape, seed))
    report = nx.check_causality(model)
    assert report.ok and report.seen == pytest.approx(report.promised, abs=1e-12), str(report)
    assert stepwise_difference(sharper(model).double()) < 1e-9


@pytest.mark.parametrize("curve", ["raster", "hilbert"])
@pytest.mark.parametrize("shape", [(1, 5, 7), (3, 4, 3)])
def test_other_curves_are_causal_in_all_their_orders(curve, shape):
    model = tiny(FAMILY, shape, 4, curve=curve)
    for number in range(model.order_count):
        ordered = model.in_order(number)
        report = nx.check_causality(ordered, outputs=8)
        assert report.ok, str(report)
    assert not torch.equal(model.in_order(1).order, model.order) and torch.equal(model.in_order(0).order, model.order)


@pytest.mark.parametrize("seed", range(3))
def test_probabilities_of_all_images_sum_to_one_in_any_order_and_in_the_mean_of_orders(seed):
    model, images = made((1, 2, 3), 2), every_image((1, 2, 3), 2)
    with torch.no_grad():
        assert model.in_order(random_order((1, 2, 3), seed)).log_prob(images).exp().sum().item() == pytest.approx(1)
    assert log_probs(model, images, orders=1 + 3 * seed).exp().sum().item() == pytest.approx(1)


def test_the_mean_of_orders_is_that_of_their_probabilities():
    model = made()
    images = noise(model, 5)
    with torch.no_grad():
        each = torch.stack([model.in_order(number).log_prob(images) for number in range(8)])
    assert each.std(dim=0).min() > 1e-3
    torch.testing.assert_close(log_probs(model, images, orders=8), each.exp().mean(dim=0).log())
    assert evaluate(model, images, orders=8).nats < -each.mean().item()
    assert torch.equal(log_probs(model, images), log_probs(model, images, orders=1))


def test_more_orders_than_were_trained_are_refused():
    model = made(orders=3)
    with pytest.raises(nx.InputError, match="trained in 3 orders, not in 4; train a locally-masked with orders=4"):
        log_probs(model, noise(model, 2), orders=4)
    other = tiny("gated-pixelcnn")
    with pytest.raises(nx.InputError, match="trained in one order, not in 2"):
        log_probs(other, noise(other, 2), orders=2)
    with pytest.raises(nx.InputError, match="a gated-pixelcnn has one order; train a locally-masked"):
        other.in_order(1)


@pytest.mark.parametrize(
    "order", [3, -1, torch.zeros(3, 4, dtype=torch.int64), torch.arange(12), torch.arange(12).view(4, 3)]
)
def test_what_is_no_order_is_refused(order):
    with pytest.raises(nx.InputError, match="order"):
        made(orders=3).in_order(order)


def test_another_order_shares_the_weights_and_leaves_the_model_as_it_was():
    model = made()
    before = model.order
    other = model.in_order(random_order((1, 3, 4), 0))
    assert torch.equal(model.order, before) and not torch.equal(other.order, before)
    assert all(one is two for one, two in zip(model.parameters(), other.parameters(), strict=True))


def conditional(model, images, known):
    """Nats of what is unknown given all that is known, by the order that begins with it."""
    order = beginning_with(known, model.ranks.view(model.image_shape[1:]))
    with torch.no_grad():
        nats = model.in_order(order).log_prob_map(images)
    return nats.masked_fill(known, 0).flatten(1).sum(1)


MASKS = [[[0, 0], [0, 1]], [[0, 1], [0, 0]], [[0, 1], [1, 0]], [[0, 0], [1, 1]]]


@pytest.mark.parametrize("mask", MASKS, ids=str)
def test_completions_are_draws_given_all_that_is_known(mask):
    model, known = sharper(made((1, 2, 2), 3), 1.5), torch.tensor(mask, dtype=torch.bool)
    fixed = torch.randint(3, (1, 2, 2), generator=seeded(4))
    images = every_image((1, 2, 2), 3)
    fitting = images[((images == fixed) | ~known).flatten(1).all(1)]
    expected = conditional(model, fitting, known).exp()
    assert expected.sum().item() == pytest.approx(1)
    count = 3000
    drawn = model.complete(fixed.expand(count, -1, -1, -1), known, generator=seeded()).long()
    found = torch.stack([(drawn == image).flatten(1).all(1).sum() for image in fitting])
    assert found.sum() == count
    assert ((found - count * expected).abs() <= 4.5 * (count * expected * (1 - expected)).sqrt() + 1).all()


def test_what_comes_last_shapes_what_comes_first():
    """In the model's own order a pixel at the end could not."""
    model, known = made((1, 3, 4), 3), torch.zeros(3, 4, dtype=torch.bool)
    known[0, 1] = True
    images = torch.zeros(2, 1, 3, 4, dtype=torch.int64)
    images[1, 0, 0, 1] = 2
    order = model.order[0]
    assert order[0, 1] > order[0, 0]
    given = known.expand(2, 1, -1, -1)
    uniforms = torch.rand(1, 1, 3, 4, generator=seeded(), dtype=torch.float64).expand(2, -1, -1, -1)
    nats = walk(model, images, given, {}, uniforms=uniforms).log_prob_map
    assert nats[0, 0, 0, 0] != nats[1, 0, 0, 0]


def test_images_with_masks_of_their_own_are_completed_as_by_themselves():
    model = made((3, 3, 4), 4, condition=nx.Labels(3), default_condition=False)
    images, labels = noise(model, 6), torch.tensor([0, 1, 2, 0, 1, 2])
    masks = torch.rand(3, 3, 4, generator=seeded(2)).lt(0.5)[[0, 1, 0, 2, 1, 0]]
    uniforms = torch.rand(6, 3, 3, 4, generator=seeded(1), dtype=torch.float64)
    known = masks[:, None].expand(-1, 3, -1, -1)
    together = walk(model, images, known, {"labels": labels}, uniforms=uniforms)
    for number in range(6):
        one = slice(number, number + 1)
        alone = walk(model, images[one], known[one], {"labels": labels[one]}, uniforms=uniforms[one])
        assert torch.equal(alone.images, together.images[one])
        torch.testing.assert_close(alone.log_prob_map, together.log_prob_map[one])
        assert torch.equal(together.images[one][known[one]], images[one][known[one]])


def test_candidates_are_refused_as_they_are_of_no_use():
    model = made()
    with pytest.raises(nx.InputError, match="candidates are of no use; leave them out"):
        model.complete(noise(model, 1), torch.zeros(3, 4, dtype=torch.bool), candidates=4)


def test_a_first_layer_that_sees_itself_is_found():
    model = tiny(FAMILY, (1, 3, 4), 3)
    model.first.window = model.first.window._replace(strict=False)
    report = nx.check_causality(model)
    assert {(site, site) for site in sites((1, 3, 4))} <= set(report.leaks) and not report.ok


def test_masks_of_another_order_than_the_one_that_holds_are_found():
    model = tiny(FAMILY, (1, 3, 4), 3)
    backwards = model.in_order(11 - model.ranks.view(3, 4))
    model._visible = backwards._visible
    report = nx.check_causality(model)
    assert report.leaks and not report.ok


def test_a_chain_of_windows_must_rise():
    """Known pixels further on than a window are seen by those of them that come later in the order, or not at all."""
    model = tiny(FAMILY, (1, 1, 9), 3, first_kernel_size=3, layers=1, dilation=1)
    order = torch.tensor([[8, 7, 6, 5, 4, 3, 2, 1, 0]])
    field = model.in_order(order).receptive_field()
    assert field[0].nonzero().flatten().tolist() == [1, 2, 3]
    zigzag = torch.tensor([[8, 3, 4, 5, 6, 7, 2, 1, 0]])
    assert model.in_order(zigzag).receptive_field()[0].nonzero().flatten().tolist() == [1]


def test_a_convolution_is_what_its_definition_says():
    torch.manual_seed(0)
    for window in (Window(3, 1, strict=True), Window(3, 2, strict=False), Window(5, 1, strict=False)):
        conv = LocallyMaskedConv2d(2, 3, window).double()
        maps, ranks = torch.randn(1, 2, 3, 4, dtype=torch.float64), torch.randperm(12)
        found = conv(maps, window.visible(window.neighbours(3, 4, torch.device("cpu")), ranks))
        half = window.kernel_size // 2
        for row, column in itertools.product(range(3), range(4)):
            expected = conv.bias.clone()
            for tap, (down, right) in enumerate(itertools.product(range(-half, half + 1), repeat=2)):
                y, x = row + down * window.dilation, column + right * window.dilation
                if not (0 <= y < 3 and 0 <= x < 4):
                    continue
                here, there = ranks[row * 4 + column], ranks[y * 4 + x]
                if there < here or (there == here and not window.strict):
                    expected = expected + conv.weight[:, :, tap] @ maps[0, :, y, x]
            torch.testing.assert_close(found[0, :, row, column], expected)


def test_steps_of_training_take_all_orders_and_leave_the_first():
    model = made(orders=4)
    first, seen = model.ranks.clone(), set()
    for seed in range(40):
        with model.step_of_training(seed):
            seen.add(str(model.ranks.tolist()))
        assert torch.equal(model.ranks, first)
    assert len(seen) == 4


@pytest.mark.parametrize("share", [0.0, 0.4, 1.0])
def test_in_a_part_of_the_steps_a_random_part_of_the_image_comes_first(share):
    model = made((1, 4, 5), orders=2, known_first=share)
    first, usual = model.ranks.clone(), {str(model.in_order(number).ranks.tolist()) for number in range(2)}
    others = set()
    for seed in range(200):
        with model.step_of_training(seed):
            assert sorted(model.ranks.tolist()) == list(range(20))
            others |= {str(model.ranks.tolist())} - usual
            again = model.ranks.clone()
        with model.step_of_training(seed):
            assert torch.equal(model.ranks, again)
        assert torch.equal(model.ranks, first)
    # Some random parts are empty or whole, or leave the order as it is.
    assert 0.5 * share * 200 <= len(others) <= 1.2 * share * 200


def test_a_model_without_known_first_is_described_as_before_there_was_one():
    assert "known_first" not in made().options and made(known_first=0.5).options["known_first"] == 0.5


def test_several_orders_are_learned_at_once():
    torch.manual_seed(0)
    model = nx.build(FAMILY, image_shape=(1, 3, 3), levels=2, features=8, layers=1, first_kernel_size=3, orders=4)
    images = torch.stack([torch.zeros(1, 3, 3), torch.ones(1, 3, 3)]).long().repeat(4, 1, 1, 1)
    optimiser = torch.optim.Adam(model.parameters(), 0.02)
    for step in range(120):
        optimiser.zero_grad()
        with model.step_of_training(step):
            (-model.log_prob(images).mean()).backward()
        optimiser.step()
    with torch.no_grad():
        for number in range(4):
            assert model.in_order(number).log_prob(images).mean() > -1.5
    # The last pixel says what all the others are.
    known = torch.zeros(3, 3, dtype=torch.bool)
    known[1, 1] = True
    completed = model.complete(images, known, generator=seeded())
    assert (completed == images).float().mean() > 0.9


def test_the_command_line_averages_orders_and_completes_from_anything(tmp_path, capsys):
    images = torch.randint(3, (6, 3, 4), generator=seeded()).to(torch.uint8).numpy()
    import numpy as np

    np.savez(tmp_path / "set.npz", images=images, levels=3)
    made(orders=4).float().save(tmp_path / "model")
    model, data = str(tmp_path / "model"), str(tmp_path / "set.npz")
    assert run(["evaluate", model, data, "--orders", "4", "--json"]) == 0
    assert '"images": 6' in capsys.readouterr().out
    assert run(["evaluate", model, data, "--orders", "5"]) == 2
    assert "trained in 4 orders" in capsys.readouterr().err
    assert run(["complete", model, data, "--known", "bottom", "--limit", "1", "--out", str(tmp_path / "out")]) == 0
    assert "come after" not in capsys.readouterr().err
    assert math.isfinite(evaluate(nx.load(model), nx.open_images(data), orders=4).nats)

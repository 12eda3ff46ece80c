"""Conditions in every family: they reach every layer, and nothing but them is new."""

import pytest
import torch

import nextpixel as nx
from helpers.tiny_models import everything, features_of, noise, seeded, sharper, tiny
from nextpixel.errors import InputError
from nextpixel.nn.conditioning import ConditionBias

FAMILIES = [family for family in nx.models() if family != "autoencoder"]
KINDS = {
    "labels": nx.Labels(3),
    "vector": nx.Vector(4),
    "map": nx.Map(2, (2, 3)),
    "map of the image's size": nx.Map(1, (5, 7)),
    "several": everything((1, 5, 7)),
}


@pytest.fixture(params=FAMILIES)
def conditional(request):
    """Families whose condition is chosen by whoever builds them."""
    return request.param


def made(family, condition, shape=(1, 5, 7), **options):
    return tiny(family, shape, 4, condition=condition, default_condition=False, **options)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("shape", [(1, 5, 7), (3, 5, 7)])
def test_every_condition_reaches_every_layer(conditional, kind, shape):
    model = sharper(made(conditional, KINDS[kind], shape, layers=3), 1.0).double()
    model.log_prob(noise(model, 6), model.random_condition(6, seeded())).sum().backward()
    layers = [module for module in model.modules() if isinstance(module, ConditionBias)]
    assert len(layers) >= 3
    dead = [name for name, parameter in model.named_parameters() if not parameter.grad.any()]
    assert dead == []


@pytest.mark.parametrize("kind", KINDS)
def test_the_condition_of_an_image_is_felt_by_it_alone(conditional, kind):
    model = sharper(made(conditional, KINDS[kind]), 1.0).double()
    images, values = noise(model, 3), model.random_condition(3, seeded(1))
    before = model.log_prob_map(images, values)
    for name, value in values.items():
        changed = dict(values)
        changed[name] = value.clone()
        changed[name][1] = (value[1] + 1) % 3 if value.dtype == torch.int64 else value[1] + 1
        after = model.log_prob_map(images, changed)
        assert not torch.equal(after[1], before[1])
        torch.testing.assert_close(after[[0, 2]], before[[0, 2]], atol=1e-11, rtol=0)


@pytest.mark.parametrize("kind", KINDS)
def test_conditional_models_are_causal(conditional, kind):
    report = nx.check_causality(made(conditional, KINDS[kind]))
    assert report.ok, str(report)


def test_a_condition_that_nothing_depends_on_is_reported(conditional):
    model = made(conditional, everything((1, 5, 7)))
    with torch.no_grad():
        for module in model.modules():
            if isinstance(module, ConditionBias) and module.vector is not None:
                # Of labels and numbers, the second one's channels come last.
                module.vector[:, -2:] = 0
    report = nx.check_causality(model, outputs=2)
    assert report.ignored == ["numbers"] and not report.ok
    assert "do not depend on the condition 'numbers'" in str(report)


@pytest.mark.parametrize("kind", KINDS)
def test_a_saved_model_keeps_its_condition(conditional, kind, tmp_path):
    model = made(conditional, KINDS[kind])
    if kind in ("vector", "several"):
        model.fit_condition(model.random_condition(50, seeded()))
    model.eval().save(tmp_path)
    again = nx.load(tmp_path)
    assert again.condition == model.condition
    images, values = noise(model, 3), model.random_condition(3, seeded(2))
    assert torch.equal(again.log_prob(images, values), model.log_prob(images, values))


def test_a_single_condition_is_given_as_it_is_or_by_its_name(conditional):
    model = made(conditional, nx.Labels(3)).eval()
    images, labels = noise(model, 3), torch.tensor([2, 0, 1])
    assert torch.equal(model.log_prob(images, labels), model.log_prob(images, {"labels": labels}))
    same = model.log_prob(images, torch.tensor([1, 1, 1]))
    assert torch.equal(model.log_prob(images, 1), same)
    assert not torch.equal(model.log_prob(images, labels), same)


def test_a_missing_or_unknown_label_is_refused_with_the_classes(conditional):
    model = made(conditional, nx.Labels(2, ("cat", "dog")))
    for act in (lambda *c: model.log_prob(noise(model, 2), *c), lambda *c: model.sample(2, *c), model.sample):
        arguments = (1,) if act == model.sample else ()
        with pytest.raises(InputError, match="0 cat, 1 dog"):
            act(*arguments)
        with pytest.raises(InputError, match="no class 2; the classes are 0 cat, 1 dog"):
            act(*arguments, torch.tensor([2]))


def test_labels_are_felt_from_the_start_however_many_and_however_deep_a_model_stands_inside_another(conditional):
    model = made(conditional, nx.Labels(100), (1, 8, 8)).eval()
    images = noise(model, 8)
    with torch.no_grad():
        moved = (model.logits(images, 3) - model.logits(images, 5)).std() / model.logits(images, 3).std()
    assert moved > 0.05


def test_samples_follow_their_label():
    """Two classes of images are learned, and drawn by their labels."""
    torch.manual_seed(0)
    model = nx.build("gated-pixelcnn", image_shape=(1, 3, 3), levels=2, features=8, layers=2, condition=nx.Labels(2))
    images = torch.stack([torch.zeros(1, 3, 3), torch.ones(1, 3, 3)]).long().repeat(8, 1, 1, 1)
    labels = torch.arange(2).repeat(8)
    optimiser = torch.optim.Adam(model.parameters(), 0.02)
    for _ in range(40):
        optimiser.zero_grad()
        (-model.log_prob(images, labels).mean()).backward()
        optimiser.step()
    drawn = model.sample(40, torch.arange(2).repeat(20), generator=seeded())
    assert (drawn.flatten(1).float().mean(1).round().long() == torch.arange(2).repeat(20)).float().mean() > 0.9


def test_sampling_completing_and_scoring_take_the_same_condition(conditional):
    model = sharper(made(conditional, everything((1, 5, 7)))).double()
    values = model.random_condition(3, seeded(4))
    drawn = model.sample(3, values, generator=seeded(5))
    for index in range(3):
        own = {name: value[index] for name, value in values.items()}
        known = torch.zeros(5, 7, dtype=torch.bool)
        known[:2] = True
        completed = model.complete(drawn[index, None], known, own, generator=seeded(9))
        assert torch.equal(completed[0, :, :2], drawn[index, :, :2])
    assert not torch.equal(model.sample(3, model.random_condition(3, seeded(6)), generator=seeded(5)), drawn)


def test_conditions_cost_no_more_parameters_than_they_need(conditional):
    def weights(condition):
        model = nx.build(
            conditional, image_shape=(1, 5, 7), features=features_of(conditional), layers=2, condition=condition
        )
        return sum(each.numel() for each in model.parameters())

    more = [weights(nx.Labels(count)) - weights(None) for count in (1, 2, 3)]
    assert more[0] > 0 and more == [more[0], 2 * more[0], 3 * more[0]]

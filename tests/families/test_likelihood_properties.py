"""What makes a model a model: it is a probability distribution over images, with every factor in its place."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from helpers.tiny_models import (
    SHAPES,
    Backwards,
    every_image,
    few,
    has_option,
    mixed,
    noise,
    seeded,
    sharper,
    sites,
    tiny,
    without_relus,
)
from nextpixel.nn.locally_masked import LocallyMaskedConv2d
from nextpixel.nn.masked_conv import MaskedConv2d

ENUMERABLE = [((1, 2, 3), 2), ((1, 2, 2), 3), ((3, 1, 2), 2)]


@pytest.mark.parametrize(("shape", "levels"), ENUMERABLE)
@pytest.mark.parametrize("factor", [1.0, 4.0])
def test_the_probabilities_of_all_images_sum_to_one(variant, shape, levels, factor):
    model = tiny(variant, shape, levels).double().eval()
    if factor != 1:
        sharper(model, factor)
    images = every_image(shape, levels)
    assert len(images.unique(dim=0)) == len(images) == levels ** math.prod(shape)
    assert model.log_prob(images).exp().sum().item() == pytest.approx(1, abs=1e-9)


def test_the_probabilities_of_all_images_sum_to_one_in_any_order():
    model = sharper(Backwards((3, 1, 2), 2).double())
    assert model.log_prob(every_image((3, 1, 2), 2)).exp().sum().item() == pytest.approx(1, abs=1e-9)


@pytest.mark.parametrize("training", [True, False])
@few
@given(
    shape=st.sampled_from(SHAPES),
    levels=st.sampled_from([2, 5, 256]),
    seed=st.integers(0, 999),
    data=st.data(),
)
def test_a_sub_pixel_and_those_after_it_change_nothing_before(variant, training, shape, levels, seed, data):
    """Independent of gradients, and through the public methods."""
    model = sharper(tiny(variant, shape, levels, dropout=0.3)).double().train(training)
    rank = data.draw(st.integers(0, math.prod(shape) - 1))
    images, others = noise(model, 2, seed), noise(model, 2, seed + 1)
    changed = torch.where(model.order >= rank, others, images)
    results = []
    for each in (images, changed):
        torch.manual_seed(seed)
        logits = model.logits(each)
        torch.manual_seed(seed)
        results.append((logits, model.log_prob_map(each)))
    (before, before_map), (after, after_map) = results
    assert torch.equal(before[..., model.order <= rank], after[..., model.order <= rank])
    assert torch.equal(before_map[..., model.order < rank], after_map[..., model.order < rank])


@few
@given(shape=st.sampled_from(SHAPES), seed=st.integers(0, 999))
def test_a_change_is_felt_by_some_later_sub_pixel(family, shape, seed):
    model = sharper(tiny(family, shape, 5)).double()
    images = noise(model, 1, seed)
    changed = torch.where(model.order == 0, (images + 1) % 5, images)
    moved = (model.logits(images) != model.logits(changed)).any(dim=1)[0]
    assert not moved[model.order == 0].any()
    assert moved.any() or math.prod(shape) == 1


@pytest.mark.parametrize(("shape", "training"), mixed(SHAPES, [True, False]))
def test_an_image_does_not_depend_on_its_batch(variant, shape, training):
    model = sharper(tiny(variant, shape, 5)).double().train(training)
    images = noise(model, 5)
    together = model.log_prob_map(images)
    close = {"atol": 1e-11, "rtol": 1e-11}
    for index in range(5):
        torch.testing.assert_close(model.log_prob_map(images[index, None]), together[index, None], **close)
    torch.testing.assert_close(model.log_prob_map(images.flip(0)).flip(0), together, **close)


@pytest.mark.parametrize(("shape", "levels"), mixed(SHAPES, [2, 5, 256]))
def test_every_figure_follows_from_the_logits(variant, shape, levels):
    model = sharper(tiny(variant, shape, levels)).double()
    images = noise(model, 3)
    logits = model.logits(images)
    assert logits.shape == (3, levels, *shape)
    nats = model.log_prob_map(images)
    assert nats.shape == (3, *shape)
    torch.testing.assert_close(nats, logits.log_softmax(1).gather(1, images.long()[:, None])[:, 0])
    torch.testing.assert_close(model.log_prob(images), nats.sum(dim=(1, 2, 3)))
    dimensions = shape[0] * shape[1] * shape[2]
    expected = [-each / (dimensions * math.log(2)) for each in model.log_prob(images).tolist()]
    assert model.bits_per_dim(images).tolist() == pytest.approx(expected)
    assert torch.equal(model(images), logits)


def test_a_model_without_weights_needs_log2_levels_bits(family):
    if family == "local-pixelcnn":
        pytest.skip("its means and scales follow the neighbourhood even without weights")
    for levels in (2, 256):
        model = tiny(family, (3, 2, 2), levels)
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.zero_()
        assert model.bits_per_dim(noise(model, 2)).tolist() == pytest.approx([math.log2(levels)] * 2)


@pytest.mark.parametrize("dtype", [torch.int8, torch.int16, torch.int32, torch.int64])
def test_any_integers_are_the_same_images(family, dtype):
    model = sharper(tiny(family, (2, 3, 3), 100))
    assert torch.equal(model.logits(noise(model, 2)), model.logits(noise(model, 2, dtype=dtype)))
    assert torch.equal(model.log_prob_map(noise(model, 2)), model.log_prob_map(noise(model, 2, dtype=dtype)))


def test_memory_layout_does_not_matter(family):
    model = sharper(tiny(family, (3, 4, 5), 5)).double()
    images = noise(model, 2)
    strange = images.permute(3, 1, 0, 2).contiguous().permute(2, 1, 3, 0)
    assert strange.stride() != images.stride()
    assert torch.equal(model.log_prob_map(strange), model.log_prob_map(images))
    assert torch.equal(model.log_prob_map(images.numpy()), model.log_prob_map(images))


def test_no_images_have_no_likelihoods(family):
    model = tiny(family, (3, 2, 4), 5)
    nothing = torch.zeros(0, 3, 2, 4, dtype=torch.uint8)
    assert model.logits(nothing).shape == (0, 5, 3, 2, 4)
    assert model.log_prob(nothing).shape == (0,)


@pytest.mark.parametrize("shape", SHAPES)
def test_the_order_ranks_every_sub_pixel_once(family, shape):
    model = tiny(family, shape)
    assert model.order.shape == shape and model.order.dtype == torch.int64
    assert model.order.flatten().sort().values.tolist() == list(range(math.prod(shape)))


@pytest.mark.parametrize("shape", SHAPES)
def test_the_promised_context_lies_in_the_past(family, shape):
    model = tiny(family, shape)
    promised, rank = model.receptive_field(), model.order.flatten()
    assert promised.shape == (math.prod(shape),) * 2 and promised.dtype == torch.bool
    assert not (promised & (rank[None, :] >= rank[:, None])).any()


def test_raster_order_has_the_colours_innermost():
    model = tiny("gated-pixelcnn", (3, 2, 4))
    by_rank = sorted(sites((3, 2, 4)), key=lambda site: int(model.order[site]))
    assert by_rank == sorted(sites((3, 2, 4)), key=lambda site: (site[1], site[2], site[0]))


def learn(model):
    """The gradients of a step of training."""
    images = noise(model, 8)
    condition = model.random_condition(8, seeded()) if model.needs_condition else None
    ordered = [model.in_order(number).log_prob(images, condition) for number in range(model.order_count)]
    loss, companion = torch.stack(ordered).sum(), model.companion_loss(images)
    (loss if companion is None else loss + companion).backward()


@pytest.mark.parametrize("shape", [(1, 9, 9), (3, 9, 9)])
def test_every_weight_learns(variant, shape):
    """Neither a parameter nor, where no mask hides it, any single weight is without effect on the likelihood."""
    model = without_relus(sharper(tiny(variant, shape, 3, layers=3, default_condition=False), 1.0)).double()
    learn(model)
    hidden = {
        f"{name}.weight": module.mask == 0 for name, module in model.named_modules() if isinstance(module, MaskedConv2d)
    }
    for name, module in model.named_modules():
        if isinstance(module, LocallyMaskedConv2d) and module.window.strict:
            # A pixel comes before itself in no order.
            centre = torch.arange(module.weight.shape[2]) == module.weight.shape[2] // 2
            hidden[f"{name}.weight"] = centre.expand_as(module.weight)
    dead = {}
    for name, parameter in model.named_parameters():
        without = torch.ones_like(parameter, dtype=torch.bool) if parameter.grad is None else parameter.grad == 0
        visible = ~hidden.get(name, torch.zeros_like(without))
        if count := int((without & visible).sum()):
            dead[name] = f"{count} of {int(visible.sum())}"
    assert dead == {}


@pytest.mark.parametrize(
    "option",
    [
        {"skips": False},
        {"skips": True},
        {"residual": False},
        {"head_features": 5},
        {"kernel_size": 5},
        {"first_kernel_size": 3},
        {"level_features": 3},
    ],
)
def test_every_weight_learns_with_other_options(family, option):
    if not has_option(family, next(iter(option))):
        pytest.skip("the family has no such option")
    model = sharper(tiny(family, (1, 9, 9), 3, default_condition=False, **option), 1.0).double()
    learn(model)
    assert [name for name, parameter in model.named_parameters() if not parameter.grad.any()] == []


def test_a_few_steps_of_descent_raise_the_likelihood(family):
    model = tiny(family, (3, 3, 4), 4)
    images = noise(model, 4)
    before = model.log_prob(images).mean().item()
    optimiser = torch.optim.Adam(model.parameters(), 0.01)
    for _ in range(15):
        optimiser.zero_grad()
        (-model.log_prob(images).mean()).backward()
        optimiser.step()
    assert model.log_prob(images).mean().item() > before + 1

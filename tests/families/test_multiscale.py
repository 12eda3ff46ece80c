import pytest
import torch

import nextpixel as nx
from helpers.tiny_models import every_image, noise, seeded, sharper
from nextpixel.errors import ModelError
from nextpixel.families.configs import INNER

CHAINS = [(2, 2), (3, 2), (2, 3)]


def made(inner="gated-pixelcnn", shape=(1, 5, 7), levels=3, scales=2, factor=2, **options):
    torch.manual_seed(1)
    features = 8 if inner == "gated-pixelcnn" else 16
    options = {"inner": inner, "features": features, "layers": 2, "scales": scales, "factor": factor} | options
    return nx.build("multiscale", image_shape=shape, levels=levels, **options)


@pytest.mark.parametrize("inner", INNER)
@pytest.mark.parametrize(("scales", "factor"), CHAINS)
@pytest.mark.parametrize("shape", [(1, 5, 7), (3, 4, 5)])
def test_every_chain_of_every_family_is_causal(inner, scales, factor, shape):
    report = nx.check_causality(made(inner, shape, scales=scales, factor=factor))
    assert report.ok, str(report)


@pytest.mark.parametrize("inner", INNER)
@pytest.mark.parametrize(("scales", "factor"), CHAINS)
def test_the_probabilities_of_all_images_sum_to_one(inner, scales, factor):
    model = sharper(made(inner, (1, 3, 3), 2, scales, factor)).double().eval()
    assert model.log_prob(every_image((1, 3, 3), 2)).exp().sum().item() == pytest.approx(1, abs=1e-9)


@pytest.mark.parametrize(("scales", "factor"), CHAINS)
def test_the_smallest_image_comes_first_and_each_scale_in_raster_order(scales, factor):
    model = made(shape=(2, 5, 7), scales=scales, factor=factor)
    ranks = list(range(2 * 5 * 7))
    expected, done = [], set()
    for stride in model.strides:
        for row in range(0, 5, stride):
            for column in range(0, 7, stride):
                if (row, column) not in done:
                    expected += [(channel, row, column) for channel in range(2)]
                done.add((row, column))
    assert [
        tuple(site)
        for site in (
            model.order.flatten().argsort()[:, None] // torch.tensor([35, 7, 1]) % torch.tensor([2, 5, 7])
        ).tolist()
    ] == expected
    assert model.order.flatten().sort().values.tolist() == ranks


def test_the_likelihood_is_that_of_the_small_image_and_of_the_rest_given_it():
    model = sharper(made(scales=3)).double().eval()
    images = noise(model, 4)
    nats = model.log_prob_map(images)
    small, middle, large = model.models
    scales = model.scales_of(images)
    assert [tuple(each.shape[-2:]) for each in scales] == [(2, 2), (3, 4), (5, 7)]
    torch.testing.assert_close(nats[..., ::4, ::4], small.log_prob_map(scales[0]))
    given = {"smaller": small.normalised(scales[0])}
    torch.testing.assert_close(nats[..., ::2, ::2][..., 1], middle.log_prob_map(scales[1], given)[..., 1])
    given = {"smaller": small.normalised(scales[1])}
    torch.testing.assert_close(nats[..., 1, :], large.log_prob_map(images, given)[..., 1, :])
    # Counted once: what the larger models say of pixels that are determined is left out.
    conditional = large.log_prob_map(images, given).clone()
    conditional[..., ::2, ::2] = 0
    middle_part = middle.log_prob_map(scales[1], {"smaller": small.normalised(scales[0])}).clone()
    middle_part[..., ::2, ::2] = 0
    total = small.log_prob(scales[0]) + middle_part.flatten(1).sum(1) + conditional.flatten(1).sum(1)
    torch.testing.assert_close(model.log_prob(images), total)


def test_completing_with_the_small_image_known_keeps_it():
    model = sharper(made()).double()
    images = noise(model, 3)
    known = torch.zeros(5, 7, dtype=torch.bool)
    known[::2, ::2] = True
    drawn = model.complete(images, known, generator=seeded())
    assert torch.equal(drawn[..., ::2, ::2], images[..., ::2, ::2])
    assert not torch.equal(drawn, images)


def test_a_label_reaches_every_scale():
    model = sharper(made(scales=3, condition=nx.Labels(3))).double()
    images = noise(model, 1)
    changed = model.log_prob_map(images, 0) != model.log_prob_map(images, 1)
    assert all(scale.any() for scale in model.scales_of(changed))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"inner": "multiscale"}, "inner must be one of"),
        ({"inner": "autoencoder"}, "inner must be one of"),
        ({"scales": 1}, "scales must be an integer from 2"),
        ({"factor": 1}, "factor must be an integer from 2"),
        ({"inner": "diagonal-bilstm", "kernel_size": 5}, "no option 'kernel_size'"),
    ],
)
def test_options_out_of_range_are_refused(options, message):
    with pytest.raises(ModelError, match=message):
        made(**options)

import pytest
import torch

import nextpixel as nx
from helpers.tiny_models import noise, seeded, sharper, tiny
from nextpixel.errors import InputError, ModelError
from nextpixel.nn.logistic_mixture import LogisticMixture


def model_of(shape=(3, 6, 5), levels=256, **options):
    return sharper(tiny("local-pixelcnn", shape, levels, **options)).eval()


@pytest.mark.parametrize("size", [(1, 1), (1, 9), (11, 2), (17, 23)])
def test_images_may_have_any_size(size):
    model = model_of()
    images = torch.randint(256, (2, 3, *size))
    nats = model.log_prob_map(images)
    assert nats.shape == images.shape
    torch.testing.assert_close(model.log_prob(images), nats.flatten(1).sum(1))
    dimensions = 3 * size[0] * size[1] * torch.log(torch.tensor(2.0))
    torch.testing.assert_close(model.bits_per_dim(images), -model.log_prob(images) / dimensions)


def test_the_size_of_the_strips_that_an_image_is_computed_in_changes_nothing(monkeypatch):
    model = model_of().double()
    images = torch.randint(256, (2, 3, 13, 7))
    whole = model.log_prob_map(images)
    monkeypatch.setattr("nextpixel.families.local_pixelcnn.PIXELS_AT_ONCE", 30)
    with torch.no_grad():
        torch.testing.assert_close(model.log_prob_map(images), whole)


def test_a_pixel_does_not_know_where_it_is():
    """Far from the edges, a shifted image has the shifted probabilities."""
    model = model_of().double()
    images = torch.randint(256, (1, 3, 20, 24))
    moved = images[:, :, 2:, 3:]
    torch.testing.assert_close(model.log_prob_map(images)[:, :, 8:, 9:-6], model.log_prob_map(moved)[:, :, 6:, 6:-6])


def test_brighter_images_are_as_likely_far_from_the_limits():
    """The window is measured by its neighbourhood; only its mean is an input of its own."""
    model = model_of()
    with torch.no_grad():
        channels = model.image_shape[0]
        model.first.linear.weight[:, -2 * channels : -channels] = 0
    images = torch.randint(100, 120, (1, 3, 12, 12))
    inner = (slice(None), slice(None), slice(7, None), slice(7, -7))
    torch.testing.assert_close(
        model.log_prob_map(images)[inner], model.log_prob_map(images + 30)[inner], atol=2e-3, rtol=0
    )


def test_the_context_is_the_window():
    model = model_of((1, 9, 9), kernel_size=5, distance=3, lag=2)
    field = model.receptive_field()[4 * 9 + 4].view(9, 9)
    seen = {(row - 4, column - 4) for row, column in field.nonzero().tolist()}
    assert seen == {(0, -1), (0, -2), (-1, -2), (-1, -1), (-1, 0), (-1, 1), (-1, 2), (-2, -1), (-2, 0), (-2, 1)}


def test_completing_keeps_what_is_known_and_takes_any_size():
    model = model_of((3, 6, 5), 7)
    images = torch.randint(7, (2, 3, 9, 14))
    known = torch.rand(9, 14) < 0.5
    completed = model.complete(images, known, generator=seeded())
    assert torch.equal(completed[:, :, known].long(), images[:, :, known])
    again = model.complete(images[:1], known, generator=seeded())
    assert torch.equal(again[0], completed[0])


def test_other_channels_are_refused():
    with pytest.raises(InputError, match="must have the shape"):
        model_of().log_prob(torch.zeros(1, 1, 6, 5, dtype=torch.uint8))


@pytest.mark.parametrize(
    ("option", "value"), [("kernel_size", 3), ("kernel_size", 6), ("distance", 1), ("lag", 0), ("layers", 0)]
)
def test_options_out_of_range_are_refused(option, value):
    message = "kernel_size must be odd, from 5 to 255" if option == "kernel_size" else option
    with pytest.raises(ModelError, match=message):
        nx.build("local-pixelcnn", image_shape=(3, 8, 8), **{option: value})


def test_the_network_runs_once_a_pixel():
    model = model_of()
    assert isinstance(model.distribution, LogisticMixture)
    assert model.output.linear.out_features == 5 * (3 * 3 + 3)


def test_memory_of_the_activations_can_be_spared():
    model = tiny("local-pixelcnn", (3, 6, 5), 256)
    images = noise(model, 2)
    model.log_prob(images).sum().backward()
    gradient = model.first.linear.weight.grad.clone()
    model.zero_grad()
    model.checkpoint_activations = True
    model.log_prob(images).sum().backward()
    torch.testing.assert_close(model.first.linear.weight.grad, gradient)

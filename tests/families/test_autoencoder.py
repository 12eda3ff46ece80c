import pytest
import torch

import nextpixel as nx
from helpers.tiny_models import noise, seeded
from nextpixel.errors import InputError, ModelError


def made(shape=(1, 9, 8), levels=3, **options):
    torch.manual_seed(1)
    options = {"features": 8, "layers": 2, "code_size": 4} | options
    return nx.build("autoencoder", image_shape=shape, levels=levels, **options)


@pytest.mark.parametrize("shape", [(1, 1, 1), (3, 5, 7), (1, 28, 28), (2, 33, 16)])
def test_any_image_has_a_code(shape):
    model = made(shape, plain=True)
    images = noise(model, 3)
    codes = model.encode(images)
    assert codes.shape == (3, 4) and codes.dtype == torch.float32
    assert model.reconstruct_plainly(images).shape == images.shape
    assert model.log_prob(images).shape == (3,)


def test_without_a_condition_images_are_given_their_own_code():
    model = made()
    images = noise(model, 3)
    assert torch.equal(model.log_prob(images), model.log_prob(images, model.encode(images)))
    assert not torch.equal(model.log_prob(images), model.log_prob(images, model.encode(images.flip(0))))


def test_a_sample_needs_a_code():
    model = made()
    with pytest.raises(InputError, match="needs a condition: a vector of 4 numbers"):
        model.sample(2)
    with pytest.raises(InputError, match="needs a condition"):
        model.complete(noise(model, 2), torch.ones(9, 8, dtype=torch.bool))
    assert model.sample(2, torch.zeros(4), generator=seeded()).shape == (2, 1, 9, 8)


def test_another_condition_is_refused():
    with pytest.raises(ModelError, match="its own code"):
        made(condition=nx.Labels(3))


def test_the_plain_autoencoder_is_an_option_and_shares_nothing():
    model = made()
    images = noise(model, 3)
    (model.log_prob(images).sum()).backward()
    assert all(parameter.grad is None for parameter in model.plain.parameters())
    model.zero_grad(set_to_none=True)
    model.companion_loss(images).backward()
    with_gradient = {name.split(".")[0] for name, each in model.named_parameters() if each.grad is not None}
    assert with_gradient == {"plain"}
    without = made(plain=False)
    assert without.companion_loss(images) is None
    with pytest.raises(ModelError, match="plain=False"):
        without.reconstruct_plainly(images)


def test_the_code_learns_what_the_decoder_cannot_see_in_the_pixels_before():
    """Held-out images are likelier given their own code than given another image's, by a margin."""
    generator = seeded()

    def stripes(count):
        rows = torch.randint(2, (count, 1, 6, 1), generator=generator).expand(-1, -1, -1, 6)
        flips = torch.rand(count, 1, 6, 6, generator=generator) < 0.05
        return (rows ^ flips.long()).contiguous()

    model = made((1, 6, 6), 2, code_size=6, features=12, plain=True)
    optimiser = torch.optim.Adam(model.parameters(), 0.005)
    for _ in range(150):
        images = stripes(32)
        optimiser.zero_grad()
        (-model.log_prob(images).mean() / 36 + model.companion_loss(images)).backward()
        optimiser.step()
    model.eval()
    with torch.no_grad():
        held_out = stripes(200)
        codes = model.encode(held_out)
        own, others = model.log_prob(held_out).mean(), model.log_prob(held_out, codes.roll(1, 0)).mean()
        restored = (model.reconstruct_plainly(held_out).round() == held_out).float().mean()
    # A row's first pixel costs ln 2 where the code does not tell the row, 6 rows 4.2 nats.
    assert own > others + 2
    assert restored > 0.85

"""Every family trains with activations computed again: the same gradients from less memory."""

import pytest
import torch

import nextpixel as nx
from helpers.tiny_models import CONDITIONED, noise, tiny

MODELS = [*nx.models(), *(family + CONDITIONED for family in nx.models() if family != "autoencoder")]


def one_step(model, images):
    """Value and gradients of the objective, and the bytes that autograd kept for them."""
    kept = {}

    def keep(tensor):
        kept[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    torch.manual_seed(3)
    model.zero_grad()
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        value = model.log_prob(images).sum()
    value.backward()
    gradients = {name: each.grad for name, each in model.named_parameters() if each.grad is not None}
    return value.detach(), gradients, sum(kept.values())


@pytest.mark.parametrize("family", MODELS)
@pytest.mark.parametrize("bfloat16", [False, True])
def test_gradients_are_the_same_and_less_is_kept(family, bfloat16):
    model = tiny(family, (1, 12, 12), layers=4, dropout=0.3).train()
    images = noise(model, 4)
    with torch.autocast("cpu", torch.bfloat16, enabled=bfloat16):
        value, gradients, size = one_step(model, images)
        model.checkpoint_activations = True
        again, same, smaller = one_step(model, images)
    assert torch.equal(value, again)
    assert gradients.keys() == same.keys()
    for name, gradient in gradients.items():
        torch.testing.assert_close(same[name], gradient)
    # Of a local model the windows, which are kept either way, are a large part.
    assert smaller < (0.9 if family.startswith("local") else 0.8) * size


@pytest.mark.parametrize("family", ["multiscale", "turned"])
def test_the_models_inside_are_meant_too(family):
    model = tiny(family, (1, 6, 6))
    assert not model.checkpoint_activations
    model.checkpoint_activations = True
    inside = [each for each in model.modules() if isinstance(each, nx.ImageModel)]
    assert len(inside) > 1
    assert all(each.checkpoint_activations for each in inside)


def test_it_is_not_saved(tmp_path):
    model = tiny("pixelcnn")
    model.checkpoint_activations = True
    model.save(tmp_path / "model")
    assert not nx.load(tmp_path / "model").checkpoint_activations

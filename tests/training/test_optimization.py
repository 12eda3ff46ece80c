"""The state of an optimiser that comes from a file: typed, of the right shapes, and finite."""

import pytest
import torch

from helpers.tiny_models import tiny
from nextpixel.training.optimization import MOMENTS, make_optimizer, restore_optimizer
from nextpixel.training.settings import TrainingSettings


def stepped(kind):
    model = tiny("gated-pixelcnn")
    optimizer = make_optimizer(model, TrainingSettings(steps=1, optimizer=kind))
    for weight in model.parameters():
        weight.grad = torch.ones_like(weight)
    optimizer.step()
    return model, optimizer


@pytest.mark.parametrize("kind", ["adamw", "rmsprop"])
def test_what_an_optimiser_keeps_is_restored(kind):
    model, optimizer = stepped(kind)
    state = optimizer.state_dict()
    assert all(set(tensors) == MOMENTS[type(optimizer)] for tensors in state["state"].values())
    state["param_groups"][0]["lr"] = "nonsense"
    other = make_optimizer(model, TrainingSettings(steps=1, optimizer=kind, learning_rate=0.5))
    restore_optimizer(other, state)
    assert other.param_groups[0]["lr"] == 0.5
    for number, tensors in other.state_dict()["state"].items():
        assert all(torch.equal(tensor, state["state"][number][name]) for name, tensor in tensors.items())


CRAFTED = {
    "another shape": lambda tensors: tensors.update(exp_avg=torch.zeros(7)),
    "nothing": lambda tensors: tensors.update(exp_avg=None),
    "a text": lambda tensors: tensors.update(step="x"),
    "one fewer": lambda tensors: tensors.pop("exp_avg"),
    "one more": lambda tensors: tensors.update(more=torch.zeros(1)),
    "not finite": lambda tensors: tensors.update(exp_avg=tensors["exp_avg"] * float("nan")),
    "integers": lambda tensors: tensors.update(exp_avg=tensors["exp_avg"].long()),
}


@pytest.mark.parametrize("name", CRAFTED)
def test_other_content_is_refused(name):
    model, optimizer = stepped("adamw")
    state = optimizer.state_dict()
    CRAFTED[name](next(iter(state["state"].values())))
    with pytest.raises(ValueError, match=r"an entry|other entries"):
        restore_optimizer(make_optimizer(model, TrainingSettings(steps=1)), state)


@pytest.mark.parametrize("groups", [[], [{"params": [0]}], [{"params": "abc"}], [{}]])
def test_groups_of_other_weights_are_refused(groups):
    model, optimizer = stepped("adamw")
    state = optimizer.state_dict() | {"param_groups": groups}
    with pytest.raises((ValueError, KeyError)):
        restore_optimizer(make_optimizer(model, TrainingSettings(steps=1)), state)

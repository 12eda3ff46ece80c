import pytest
import torch

import nextpixel as nx
from helpers.tiny_models import tiny
from nextpixel.training.starting import of_size


@pytest.mark.parametrize("condition", [None, nx.Labels(3)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_model_of_any_size_keeps_its_weights_to_the_bit(condition, dtype):
    model = tiny("local-pixelcnn", (1, 8, 8), 16, condition=condition).to(dtype)
    resized = of_size(model, (5, 7))
    assert resized.image_shape == (1, 5, 7) and resized.record is model.record
    weights = model.state_dict()
    assert all(torch.equal(weight, weights[name]) for name, weight in resized.state_dict().items())
    assert {weight.dtype for weight in resized.parameters()} == {dtype}


@pytest.mark.parametrize(
    ("family", "condition"), [("gated-pixelcnn", None), ("local-pixelcnn", nx.Map(channels=1, size=(4, 4)))]
)
def test_a_model_of_one_size_stays_as_it_is(family, condition):
    model = tiny(family, (1, 8, 8), 16, condition=condition)
    assert of_size(model, (16, 16)) is model

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import nextpixel as nx
from helpers.tiny_models import many, tiny
from nextpixel.nn.level_embedding import LevelEmbedding


def numbers(levels, dtype=torch.float32):
    """All levels, as a model gives them to its network."""
    return torch.arange(levels).to(dtype).mul(2 / (levels - 1)).sub(1)


@many
@given(levels=st.integers(2, 256), dtype=st.sampled_from([torch.float32, torch.float64, torch.bfloat16]))
def test_every_level_gets_its_own_features(levels, dtype):
    maps = LevelEmbedding(1, levels, 3).to(dtype)
    found = maps.of(numbers(levels, dtype)[:, None])
    assert found.shape == (levels, 4) and found.dtype == dtype
    assert torch.equal(found[:, 0], numbers(levels, dtype))
    assert torch.equal(found[:, 1:], maps.features)
    with torch.no_grad():
        assert torch.equal(maps.of(numbers(levels, dtype)[:, None]), found)


@many
@given(levels=st.integers(2, 256), level_features=st.sampled_from([0, 2]))
def test_the_integers_are_the_same_numbers(levels, level_features):
    maps = LevelEmbedding(1, levels, level_features)
    table, steps = maps.integers(), maps.steps
    assert torch.equal(table, table.round()) and table.shape == (levels, 1 + level_features)
    assert steps % (levels - 1) == 0 and (steps >= 256 or not level_features)
    exact = maps.of(numbers(levels)[:, None]).double()
    torch.testing.assert_close(table / steps, exact, atol=0.51 / steps, rtol=0)
    torch.testing.assert_close(table[:, 0] / steps, exact[:, 0], atol=1e-6, rtol=0)


@pytest.mark.parametrize("level_features", [0, 2])
def test_the_maps_of_a_colour_stand_together(level_features):
    maps = LevelEmbedding(3, 5, level_features)
    images = torch.randint(5, (2, 3, 4, 6))
    found = maps(images.float().mul(0.5).sub(1))
    assert maps.groups.colours == tuple(colour for colour in range(3) for _ in range(1 + level_features))
    assert found.shape == (2, maps.groups.channels, 4, 6)
    for colour, span in enumerate(maps.groups.spans):
        alone = maps.of(images[:, colour, :, :, None].float().mul(0.5).sub(1))
        assert torch.equal(found[:, span], alone.permute(0, 3, 1, 2))


def test_without_features_the_image_enters_as_it_is():
    inputs = torch.randn(2, 3, 4, 5)
    maps = LevelEmbedding(3, 256)
    assert maps(inputs) is inputs and list(maps.parameters()) == []


@pytest.mark.parametrize("batch", [1, 3])
def test_levels_that_do_not_occur_learn_nothing(batch):
    model = tiny("gated-pixelcnn", levels=6, level_features=2)
    images = torch.full((batch, *model.image_shape), 4, dtype=torch.uint8)
    model.log_prob(images).sum().backward()
    gradient = model.image_maps.features.grad
    assert gradient[4].all() and not gradient[[0, 1, 2, 3, 5]].any()


def test_models_without_features_are_named_and_saved_as_before(family):
    model = tiny(family)
    assert "level_features" not in model.options
    assert not any("image_maps" in name for name in model.state_dict())


def test_they_are_saved_and_loaded(tmp_path):
    model = tiny("diagonal-bilstm", levels=7, level_features=2)
    model.save(tmp_path / "model")
    again = nx.load(tmp_path / "model")
    assert again.options["level_features"] == 2
    assert torch.equal(again.image_maps.features, model.image_maps.features)

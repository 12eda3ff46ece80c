"""Layers that a second computation does not know are refused, wherever they stand, and never skipped."""

import pytest
import torch
from torch import nn

import nextpixel as nx
from helpers.tiny_models import has_option, noise, tiny
from nextpixel.codec.fixed_point import check_lowers
from nextpixel.errors import ModelError
from nextpixel.families.build import family_class
from nextpixel.families.raster_model import RasterModel
from nextpixel.nn.distributions import Categorical
from nextpixel.nn.layers import Layers, check_exact
from nextpixel.plan.lowering.families import LOWERINGS


class Wrapper(nn.Module):
    """What somebody puts around a layer."""

    def __init__(self, layer):
        super().__init__()
        self.layer = layer

    def forward(self, *arguments):
        return self.layer(*arguments)


def doubled(kind):
    """A subclass whose forward gives twice as much."""

    class Doubled(kind):
        def forward(self, *arguments):
            result = super().forward(*arguments)
            return type(result)(*(2 * each for each in result)) if isinstance(result, tuple) else 2 * result

    return Doubled


def stack_of(model):
    """The list of a model's layers, wherever the family keeps it."""
    return next(module for module in model.modules() if isinstance(module, Layers))


def raster(family, **options):
    model = tiny(family, (1, 3, 4), 3, **options)
    if not isinstance(model, RasterModel):
        pytest.skip("its steps are those of the models inside")
    return model.eval()


def parts(model):
    """Every module that the steps compute, as parent, name and module."""
    for prefix, module in model.named_modules():
        if prefix.split(".")[0] in {"encoder", "plain", "conditioning"}:
            continue
        for name, child in module.named_children():
            if not isinstance(child, Layers) and name not in {"encoder", "plain", "conditioning"}:
                yield module, name, child


def uses(model):
    """What computes a model in another way than its parallel pass."""
    computations = [lambda: model.sample(1)]
    if model.family in LOWERINGS:
        computations += [lambda: nx.compress(model, noise(model, 2))]
    return computations


# The list ----------------------------------------------------------------------------------------------------------


def test_layers_have_the_names_of_a_module_list():
    layers = [nn.Linear(1, 1), nn.Linear(1, 1)]
    assert Layers(nn.Linear, layers).state_dict().keys() == nn.ModuleList(layers).state_dict().keys()
    assert list(Layers(nn.Linear, layers)) == layers


def test_a_foreign_layer_is_refused_when_the_list_is_made():
    with pytest.raises(ModelError, match="layer 1 is a ReLU, where only a Linear fits; "):
        Layers(nn.Linear, [nn.Linear(1, 1), nn.ReLU()])


def test_a_foreign_layer_is_refused_when_the_list_is_gone_through():
    layers = Layers(nn.Linear, [nn.Linear(1, 1), nn.Linear(1, 1)])
    layers[0] = Wrapper(layers[0])
    with pytest.raises(ModelError, match="layer 0 is a Wrapper, where only a Linear fits; "):
        list(layers)


def test_a_part_that_is_not_listed_is_refused():
    layer = nn.Linear(1, 1)
    layer.extra = nn.ReLU()
    with pytest.raises(ModelError, match="here has a part extra, which the steps do not know; "):
        check_exact([("here", layer)], nn.Linear, "steps")


# Models ------------------------------------------------------------------------------------------------------------


def test_a_wrapped_layer_is_refused_by_the_pass_the_steps_and_the_codec(family):
    model = tiny(family, (1, 3, 4), 3).eval()
    stack = stack_of(model)
    stack[1] = Wrapper(stack[1])
    for use in (lambda: model.log_prob(noise(model, 2)), *uses(model)):
        with pytest.raises(ModelError, match="layer 1 is a Wrapper, where only a "):
            use()


def test_any_part_that_is_wrapped_is_refused_by_the_steps_and_the_codec(family):
    count = sum(1 for _ in parts(raster(family)))
    assert count > 5
    for number in range(count):
        model = raster(family)
        parent, name, module = list(parts(model))[number]
        parent._modules[name] = Wrapper(module)
        for use in uses(model):
            with pytest.raises(ModelError, match=r"is a Wrapper, where (only|the \w+ know) a "):
                use()


def test_a_layer_of_a_subclass_with_its_own_arithmetic_is_refused(family):
    for number in range(sum(1 for _ in parts(raster(family)))):
        model = raster(family)
        _, _, module = list(parts(model))[number]
        module.__class__ = doubled(type(module))
        for use in uses(model):
            with pytest.raises(ModelError, match=r"is a Doubled, where the \w+ know a "):
                use()


def test_a_layer_whose_forward_was_replaced_is_refused(family):
    model = raster(family)
    layer = next(iter(stack_of(model)))
    layer.forward = lambda *arguments: type(layer).forward(layer, *arguments)
    for use in uses(model):
        with pytest.raises(ModelError, match=r"\.0 has a forward of its own, which the \w+ do not know; "):
            use()


def test_a_layer_of_another_kind_of_our_own_is_refused(family):
    model = raster(family)
    model.readout = model.image_maps
    for use in uses(model):
        with pytest.raises(ModelError, match=r"readout is a LevelEmbedding, where the \w+ know a (Pixel)?Head; "):
            use()


def test_a_head_with_another_nonlinearity_is_stepped_but_not_compressed():
    model = raster("gated-pixelcnn")
    model.readout.activation = nn.functional.gelu
    assert model.sample(1).shape == (1, 1, 3, 4)
    with pytest.raises(ModelError, match="the head has another nonlinearity than the integers know"):
        nx.compress(model, noise(model, 2))


def test_a_subclass_that_overrides_the_pass_alone_is_refused_when_it_is_built(family):
    cls = family_class(family)

    class Other(cls):
        def _network(self, inputs, context):
            return 2 * super()._network(inputs, context)

    with pytest.raises(
        ModelError, match=r"Other overrides _network and keeps the steps of .*override _stepper or fill"
    ):
        Other((1, 3, 4), 3, features=16, layers=1)


def test_a_subclass_that_overrides_the_pass_and_the_walk_is_taken(family):
    from nextpixel.generation.walk import walk_by_passes
    from nextpixel.verify import stepwise_difference

    cls = family_class(family)

    class Other(cls):
        def _network(self, inputs, context):
            return 2 * super()._network(inputs, context)

        def fill(self, canvas, context):
            walk_by_passes(self, canvas, context)

    model = Other((1, 2, 3), 3, features=16, layers=1)
    assert stepwise_difference(model) < 1e-5
    if family in LOWERINGS:
        with pytest.raises(ModelError, match="Other overrides _network, so the integers of a "):
            nx.compress(model, noise(model, 2))


def test_a_pass_that_was_replaced_is_refused_at_the_first_step(family):
    model = raster(family)
    inside = model._network
    model._network = lambda inputs, context: 2 * inside(inputs, context)
    for use in uses(model):
        with pytest.raises(ModelError, match="overrides _network"):
            use()


def test_a_distribution_that_the_integers_do_not_know_is_refused():
    class Sharper(Categorical):
        def logits(self, parameters):
            return 2 * super().logits(parameters)

    for family in LOWERINGS:
        model = raster(family)
        model.distribution = Sharper(3)
        with pytest.raises(ModelError, match="a model of Sharper distributions cannot compress"):
            nx.compress(model, noise(model, 2))


@pytest.mark.parametrize("condition", [None, nx.Labels(3)])
@pytest.mark.parametrize("option", [{}, {"skips": True}, {"skips": False}, {"level_features": 2}], ids=str)
def test_models_as_they_are_built_are_taken(family, condition, option):
    if family == "autoencoder":
        condition = None
    if option and not has_option(family, next(iter(option))):
        pytest.skip("the family has no such option")
    model = tiny(family, (1, 3, 4), 3, condition=condition, dropout=0.2, **option)
    assert model.sample(1).shape == (1, 1, 3, 4)
    if family in LOWERINGS:
        assert check_lowers(model) is model


def test_a_copy_of_a_model_is_taken(family):
    import copy

    model = copy.deepcopy(tiny(family, (1, 3, 4), 3))
    assert torch.equal(
        model.sample(1, generator=torch.Generator().manual_seed(0)),
        model.sample(1, generator=torch.Generator().manual_seed(0)),
    )

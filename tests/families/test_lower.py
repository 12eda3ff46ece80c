"""A family of another package tells its arithmetic once, in `lower`, and then compresses and draws by steps."""

from dataclasses import dataclass

import pytest
import torch
from torch import nn

import nextpixel as nx
from helpers.tiny_models import noise, seeded, sharper
from nextpixel.errors import ModelError
from nextpixel.families import raster_model, registry
from nextpixel.families.base import ImageModel
from nextpixel.nn.head import Head
from nextpixel.nn.receptive_field import RowReach, raster_context
from nextpixel.plan.lowering.families import LOWERINGS
from nextpixel.plan.lowering.head import lower_head
from nextpixel.verify import stepwise_difference


class Toy(nn.Module):
    """A layer that nextpixel does not have: a convolution whose ReLU is taken twice, in two ways."""

    def __init__(self, maps):
        super().__init__()
        self.convolution = nx.MaskedConv2d(maps, maps, "B", rows_above=1, reach=1)
        self.inner = nx.MaskedConv2d(maps, maps, "B")

    def forward(self, maps):
        made = torch.relu(self.convolution(maps))
        return nn.functional.elu(self.inner(made)) + made


@dataclass(frozen=True, kw_only=True)
class ToyConfig(nx.Config):
    """Its options."""

    family = "toy-net"
    summary = "a stack of toys"
    features: int = nx.option(12, "Feature maps.", least=1)
    layers: int = nx.option(2, "Toys.", least=1)


class ToyNet(nx.RasterModel):
    config_class = ToyConfig

    def _make_layers(self):
        colours = self.image_shape[0]
        maps = nx.ChannelGroups.split(self.config.features, colours)
        self.first = nx.MaskedConv2d(nx.ChannelGroups.split(colours, colours), maps, "A", rows_above=1, reach=1)
        self.toys = nn.Sequential(*(Toy(maps) for _ in range(self.config.layers)))
        self.head = Head(maps, self.config.features, colours, self.distribution.parameters, nn.functional.elu)

    def _network(self, inputs, context):  # noqa: ARG002
        return self.head(self.toys(self.first(inputs)))

    def receptive_field(self):
        toys = self.config.layers

        def above(up):
            return RowReach(left=toys + 1, right=up, features=min(up, toys)) if up <= toys + 1 else None

        return raster_context(self.image_shape, toys + 1, above)

    @staticmethod
    def lower(builder):
        maps = nx.ChannelGroups.split(int(builder.model.option("features")), builder.colours)
        made = builder.convolution("first", builder.image, maps, "A", builder.bound("first"))
        for toy in range(int(builder.model.option("layers"))):
            name = f"toys.{toy}"
            made = builder.convolution(f"{name}.convolution", made, maps, "B", builder.bound(f"{name}.convolution"))
            made = builder.rectify(f"{name}.rectified", made)
            inner = builder.convolution(f"{name}.inner", made, maps, "B", builder.bound(f"{name}.inner"))
            inner = builder.exponential_unit(f"{name}.active", inner)
            made = builder.plus(name, inner, made, builder.bound(name))
        lower_head(builder, made, builder.exponential_unit, "head")
        return builder.program()


@pytest.fixture
def toy_net(monkeypatch):
    for table in (registry.FAMILIES, LOWERINGS):
        monkeypatch.delitem(table, "toy-net", raising=False)
    nx.register(ToyNet)
    yield lambda shape: sharper(nx.build("toy-net", image_shape=shape, levels=5), 1.0).eval()
    del registry.FAMILIES["toy-net"], LOWERINGS["toy-net"]


@pytest.mark.parametrize("shape", [(1, 5, 7), (3, 4, 3)])
def test_it_compresses_and_draws_by_steps(toy_net, shape, monkeypatch):
    model = toy_net(shape)
    assert nx.check_causality(model, outputs=8).ok
    assert stepwise_difference(model) < 1e-4
    images = noise(model, 6)
    assert torch.equal(nx.decompress(model, nx.compress(model, images)), images)
    passes = []
    monkeypatch.setattr(raster_model, "walk_by_passes", lambda *a: passes.append(a))
    drawn = model.sample(3, generator=seeded())
    assert not passes
    model.fill = lambda canvas, context: ImageModel.fill(model, canvas, context)
    assert torch.equal(model.sample(3, generator=seeded()), drawn)


def test_what_steps_cannot_do_is_done_by_passes(toy_net):
    model = toy_net((1, 3, 4)).double()
    assert model.sample(2, top_k=2).shape == (2, 1, 3, 4)


def test_layers_that_the_family_does_not_make_are_refused(toy_net):
    model = toy_net((1, 3, 4))
    model.toys[1].inner = nn.Sequential(model.toys[1].inner)
    for use in (lambda: model.sample(1), lambda: nx.compress(model, noise(model, 2))):
        with pytest.raises(ModelError, match=r"toys.1.inner is a Sequential of its own, which the \w+ do not know"):
            use()

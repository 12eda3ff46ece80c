"""Models and images small enough for tests, for any registered family."""

import inspect
import itertools
import math

import torch
from hypothesis import HealthCheck, settings

import nextpixel as nx
from nextpixel.families.base import ImageModel
from nextpixel.families.build import family_class
from nextpixel.nn.head import Head

few = settings(max_examples=5, deadline=None, database=None, suppress_health_check=[HealthCheck.too_slow])
"""Settings of property tests in which an example costs several passes of a network."""

many = settings(max_examples=40, deadline=None, database=None)
"""Settings of property tests whose examples cost nothing."""

SHAPES = [(1, 5, 7), (3, 6, 4), (1, 1, 1), (3, 1, 9), (3, 9, 1), (2, 3, 3), (4, 2, 3)]


def mixed(first, *others):
    """Few combinations in which every value occurs: each of the first beside others, which go round at their own pace.

    All combinations of shapes, levels and more, of every family, would take most of the time of the suite.
    """
    rows, pace = [], 1
    columns = []
    for choices in others:
        columns.append([choices[(i + i // pace if pace > 1 else i) % len(choices)] for i in range(len(first))])
        pace *= len(choices)
    rows = list(zip(first, *columns, strict=True))
    assert all(
        set(map(repr, column)) == set(map(repr, choices)) for column, choices in zip(columns, others, strict=True)
    )
    return rows


FEATURES = {
    "gated-pixelcnn": 8,
    "autoencoder": 8,
    "multiscale": 8,
    "pixelsnail": 8,
    "pixelcnn++": 8,
    "locally-masked": 8,
}
"""Features of tiny models by family. Where there are ReLUs, 16: with fewer, all those of a colour can be off at once,
and then the model is blind indeed."""


OPTIONS = {
    "pixelsnail": {"block_layers": 1, "key_features": 4, "first_kernel_size": 3},
    "locally-masked": {"first_kernel_size": 3},
    "pixelcnn++": {"layers": 1, "sizes": 2, "head": "softmax"},
}
"""Other options of tiny models by family."""


UNBOUNDED = ("local-pixelcnn", "pixelsnail", "pixelcnn++", "locally-masked")
"""Families whose numbers nothing bounds: with sharpened weights they have few digits of probabilities in float32."""


CONDITIONED = " on everything"
"""After the name of a family: its model conditioned on labels, a vector and a map at once."""

VARIANTS = [*nx.models(), *(family + CONDITIONED for family in nx.models() if family != "autoencoder")]
"""Every registered family, without a condition and, but for the autoencoder, on everything at once."""


def features_of(family):
    return FEATURES.get(family.removesuffix(CONDITIONED), 16)


def has_option(family, name):
    return name in inspect.signature(family_class(family.removesuffix(CONDITIONED))).parameters


def begins_with_what_is_known(family):
    """Whether the family completes images in an order of its own, so that candidates are of no use."""
    return family_class(family.removesuffix(CONDITIONED)).completes_from_anything


def takes(family, name):
    """Whether a family has an option, or hands it on to the models inside."""
    return has_option(family, name) or has_option(family, "inner_options")


def everything(shape):
    """Conditions of all kinds, for images of a shape."""
    size = tuple(-(-side // 2) for side in shape[1:])
    return {"kind": nx.Labels(3), "numbers": nx.Vector(2), "places": nx.Map(2, size)}


def tiny(family, shape=(1, 3, 4), levels=3, default_condition=True, **options):
    """An untrained model of few weights; options that the family does not have are left out.

    With `default_condition` a conditional model takes one and the same condition wherever it is given none, so that
    tests of what all models have in common need not know of conditions.
    """
    seed(1)
    usual = OPTIONS.get(family.removesuffix(CONDITIONED), {})
    options = (
        {"features": features_of(family), "layers": 2}
        | usual
        | {name: each for name, each in options.items() if name == "condition" or has_option(family, name)}
    )
    if family.endswith(CONDITIONED):
        family, options = family.removesuffix(CONDITIONED), {"condition": everything(shape)} | options
    model = nx.build(family, image_shape=shape, levels=levels, **options)
    return with_default(model) if default_condition and model.condition is not None else model


def with_default(model):
    """The model, which takes some condition where none is given."""
    condition, checked = model.random_condition(1, seeded(7)), model.condition_values
    model.condition_values = lambda given, count: checked(condition if given is None else given, count)
    model.conditions_for = lambda images, given: model.condition_values(given, len(images))
    return model


def sharper(model, factor=2.0):
    """The model with larger weights and with biases: distributions far from uniform."""
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            # Codes as large as an encoder with large weights gives would saturate every gate.
            if name.startswith(("encoder.", "plain.")):
                continue
            parameter.mul_(factor).add_(0.3 * torch.randn_like(parameter))
    return model


def without_relus(model):
    """The model with ELUs for its ReLUs, which may be off wherever a weight would have an effect."""
    for module in list(model.modules()):
        for name, child in module.named_children():
            if isinstance(child, torch.nn.ReLU):
                setattr(module, name, torch.nn.ELU())
        if isinstance(module, Head):
            module.activation = torch.nn.functional.elu
    return model


def noise(model, count, seed=0, dtype=torch.uint8):
    """Random images that fit a model."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(model.levels, (count, *model.image_shape), generator=generator).to(dtype)


def every_image(shape, levels):
    """All images there are of a shape."""
    return torch.tensor(list(itertools.product(range(levels), repeat=math.prod(shape)))).view(-1, *shape)


def seed(number):
    """Seed what has no generator of its own.

    Not by `torch.manual_seed`, which for every kind of device that is not there notes the stack of its caller: in
    pytest's deep stacks that takes longer than many a test.
    """
    (torch if torch.cuda.is_available() else torch.default_generator).manual_seed(number)


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def sites(shape):
    """All sub-pixels (channel, row, column), in memory order."""
    return list(itertools.product(*map(range, shape)))


class Backwards(ImageModel):
    """A model that draws the last colour of the last pixel first: nothing may assume raster order."""

    family = "backwards"

    def __init__(self, shape=(3, 2, 3), levels=3):
        super().__init__(shape, levels)
        self.inner = tiny("gated-pixelcnn", shape, levels)

    @property
    def order(self):
        return self.inner.order.flip(0, 1, 2)

    def _network(self, inputs, context):
        return self.inner._network(inputs.flip(1, 2, 3), context).flip(2, 3, 4)

    def receptive_field(self):
        return self.inner.receptive_field().flip(0, 1)

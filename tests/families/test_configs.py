"""The options of families: checked once, and the same in constructors, descriptions and on the command line."""

import json
from dataclasses import FrozenInstanceError, dataclass
from inspect import signature

import numpy as np
import pytest

import nextpixel as nx
from helpers.tiny_models import tiny
from nextpixel.cli.model_options import OWN_FLAGS, ModelOptions, help_of, options_of_families
from nextpixel.errors import ModelError
from nextpixel.families.build import family_class
from nextpixel.families.configs import CompositeConfig, Config
from nextpixel.families.registry import FAMILIES
from nextpixel.model_files.format import describe
from nextpixel.model_files.shipped import read_config, shipped


def test_a_family_has_the_config_that_the_registry_names(family):
    cls = family_class(family)
    assert cls.config_class is FAMILIES[family].config
    assert cls.family == cls.config_class.family == family
    assert isinstance(tiny(family).config, cls.config_class)


def test_a_config_cannot_be_changed(family):
    with pytest.raises(FrozenInstanceError):
        tiny(family).config.layers = 3


def test_the_constructor_takes_the_options_by_name(family):
    options = {one.name: one.rule.default for one in FAMILIES[family].config.options()}
    parameters = signature(family_class(family)).parameters
    assert {name: parameters[name].default for name in options} == options
    assert list(parameters)[:3] == ["image_shape", "levels", "condition"]
    model = family_class(family)((1, 2, 2), 2, **options | {"features": 4, "layers": 1})
    assert model.config.features == 4


def test_every_option_says_what_it_is(family):
    for one in FAMILIES[family].config.options():
        assert one.rule.help.endswith(".") and one.allowed


def test_a_config_rebuilds_itself_from_its_description(family):
    config = FAMILIES[family].config.of({"features": 5, "layers": 2})
    assert FAMILIES[family].config.of(json.loads(json.dumps(config.describe()))) == config


@pytest.mark.parametrize("name", shipped())
def test_the_descriptions_of_shipped_models_stay_as_they_are_to_the_byte(name):
    stored = read_config(name)["model"]
    model = nx.build(
        stored["family"],
        image_shape=tuple(stored["image_shape"]),
        levels=stored["levels"],
        condition=nx.load(name).condition,
        **stored["options"],
    )
    assert json.dumps(describe(model)) == json.dumps(stored)


DESCRIBED = {
    "gated-pixelcnn": "features layers kernel_size first_kernel_size head_features skips dropout",
    "pixelcnn": "features layers kernel_size first_kernel_size head_features residual skips dropout",
    "row-lstm": "features layers kernel_size first_kernel_size head_features residual skips dropout",
    "diagonal-bilstm": "features layers first_kernel_size head_features residual skips dropout",
    "autoencoder": "code_size features layers kernel_size first_kernel_size head_features skips dropout plain",
    "multiscale": "features layers kernel_size first_kernel_size head_features skips dropout inner scales factor",
    "turned": "features layers kernel_size first_kernel_size head_features skips dropout inner order",
}


@pytest.mark.parametrize("name", DESCRIBED)
def test_a_description_has_the_options_in_the_order_of_the_first_version(name):
    assert " ".join(FAMILIES[name].config.of({}).describe()) == DESCRIBED[name]


def test_an_option_that_came_later_is_left_out_at_its_first_value(family):
    config = FAMILIES[family].config
    if family == "local-pixelcnn":
        pytest.skip("the family has no such option")
    assert "level_features" not in config.of({}).describe()
    assert config.of({"level_features": 2}).describe()["level_features"] == 2


def test_numbers_of_numpy_become_those_of_python():
    config = FAMILIES["gated-pixelcnn"].config.of({"features": np.int64(8), "dropout": np.float32(0.5)})
    assert type(config.features) is int and type(config.dropout) is float
    assert json.dumps(config.describe())


def test_what_a_composite_does_not_know_the_models_inside_must():
    for entry in FAMILIES.values():
        if issubclass(entry.config, CompositeConfig):
            assert entry.config.of({"inner": "row-lstm", "residual": False}).inner_config.residual is False
            with pytest.raises(ModelError, match="diagonal-bilstm has no option 'kernel_size'"):
                entry.config.of({"inner": "diagonal-bilstm", "kernel_size": 3})
            with pytest.raises(ModelError, match=r"inner must be one of .*, not 'multiscale'"):
                entry.config.of({"inner": "multiscale"})


def test_the_command_line_has_the_options_of_all_families():
    flags = set(ModelOptions.__dataclass_fields__)
    for entry in FAMILIES.values():
        assert {one.name for one in entry.config.options()} <= flags | OWN_FLAGS
    for name, by_family in options_of_families().items():
        told = help_of(by_family)
        assert told.startswith(next(iter(by_family.values())).rule.help)
        for one in by_family.values():
            assert one.rule.default is None or str(one.rule.default) in told.partition("[default: ")[2], name


def test_a_field_that_is_no_option_is_refused():
    @dataclass(frozen=True, kw_only=True)
    class Bad(Config):
        family = "bad"
        depth: int = 3

    with pytest.raises(ModelError, match=r"Bad\.depth is no option: write it as "):
        Bad.of({})


@pytest.mark.parametrize(
    ("value", "message"),
    [(1, "rate must be a number from 2 to 4, not 1"), ("a", "not 'a'"), (float("nan"), "not nan"), (5.0, "not 5.0")],
)
def test_real_numbers_are_held_to_their_range(value, message):
    @dataclass(frozen=True, kw_only=True)
    class Real(Config):
        family = "real"
        rate: float = nx.option(3.0, "A rate.", least=2, most=4)

    assert Real.of({"rate": 2}).rate == 2.0 and {one.name: one.allowed for one in Real.options()}["rate"] == "2 to 4"
    with pytest.raises(ModelError, match=message):
        Real.of({"rate": value})


@pytest.mark.parametrize(
    ("limits", "numbers"),
    [({}, "a finite number"), ({"least": 0}, "a number of at least 0"), ({"most": 1}, "a number of at most 1")],
)
def test_a_range_without_an_end_is_told_in_words(limits, numbers):
    @dataclass(frozen=True, kw_only=True)
    class Open(Config):
        family = "open"
        rate: float = nx.option(0.5, "A rate.", **limits)

    with pytest.raises(ModelError, match=f"rate must be {numbers}, not inf"):
        Open.of({"rate": float("inf")})

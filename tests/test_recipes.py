"""Recipes: each can be trained as it stands, and says what it is."""

import dataclasses
import re
from dataclasses import asdict

import pytest
import torch

import nextpixel as nx
from nextpixel.cli.app import run
from nextpixel.cli.options import DataOptions
from nextpixel.cli.train import ModelOptions
from nextpixel.errors import TrainingError
from nextpixel.recipes import parse, read_recipe, recipes
from nextpixel.training.settings import TrainingSettings

OWN = {"data", "condition", "order", "valid_fraction"}
# A model of photographs, of which the data sets of the recipes are none.
FAMILIES = sorted(set(nx.models()) - {"turned", "local-pixelcnn"})
DATA = ("mnist-binarized", "mnist-256", "fashion-mnist", "cifar10")


def names(kind):
    return {field.name for field in dataclasses.fields(kind)}


@pytest.fixture(params=recipes())
def recipe(request):
    return read_recipe(request.param)


def test_there_is_one_for_every_family_on_every_data_set():
    found = {(each.family, each.name) for each in map(read_recipe, recipes())}
    for family in FAMILIES:
        if family == "local-pixelcnn":
            continue  # It is trained on crops of photographs: see examples/photographs.
        for data in DATA:
            assert any(family == one and name.startswith(data) for one, name in found), (family, data)


def test_its_options_are_those_of_train_and_its_model_can_be_built(recipe):
    options = recipe.options
    assert set(options) <= OWN | names(ModelOptions) | names(DataOptions) | names(TrainingSettings)
    settings = TrainingSettings(**{name: each for name, each in options.items() if name in names(TrainingSettings)})
    assert settings.total_steps(50_000) or settings.minutes
    model = {name: each for name, each in options.items() if name in names(ModelOptions)}
    condition = nx.Labels(10) if options.get("condition") == "labels" else None
    with torch.device("meta"):
        built = nx.build(
            recipe.family,
            image_shape=tuple(recipe.image_shape),
            levels=recipe.levels,
            condition=condition,
            **model,
        )
    assert built.family == recipe.family


def test_it_promises_only_what_was_measured(recipe):
    assert recipe.expected.startswith("not measured") or re.match(
        r"\d+\.\d+ ± \d+\.\d+ (nats|bits/dim)", recipe.expected
    )
    assert recipe.paper_size == recipe.cost.startswith("paper-size, ")
    assert not recipe.paper_size or "not run" in recipe.cost
    assert not recipe.paper_size or recipe.expected.startswith("not measured")
    assert recipe.version >= 1 and recipe.data and recipe.source and recipe.cost


def test_black_and_white_data_say_how_they_became_so(recipe):
    assert recipe.levels > 2 or "binaris" in recipe.data


GOOD = {
    "version": 1,
    "family": "pixelcnn",
    "data": "noise",
    "source": "dice",
    "image_shape": [1, 2, 2],
    "levels": 2,
    "expected": "not measured",
    "cost": "nothing",
}


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"famly": "x"}, "famly"),
        ({"version": "1"}, "version"),
        ({"version": True}, "version"),
        ({"levels": None}, "levels"),
        ({"options": []}, "options"),
        ({"options": {"layers": [1]}}, "layers"),
        ({"options": {"model": "pixelcnn"}}, "model"),
        ({"options": {"out": "x"}}, "out"),
        ({"paper_size": 1}, "paper_size"),
    ],
)
def test_what_a_recipe_cannot_say_is_an_error(change, told):
    assert parse("good", GOOD).told == "good, version 1"
    with pytest.raises(TrainingError, match=told):
        parse("bad", GOOD | change)


@pytest.mark.parametrize("entry", GOOD)
def test_a_recipe_without_an_entry_is_an_error(entry):
    with pytest.raises(TrainingError, match=entry):
        parse("bad", {name: each for name, each in GOOD.items() if name != entry})


SMALL = ["--features", "6", "--layers", "2", "--grids", "0"]


def test_flags_win_over_the_recipe_and_the_record_names_it(tmp_path):
    out = tmp_path / "run"
    # The recipe's length is in steps; another unit takes its place and does not collide with it.
    assert run(["train", "--recipe", "digits-gated", "--epochs", "0.03", "--out", str(out), *SMALL]) == 0
    model, recipe = nx.load(out), read_recipe("digits-gated")
    assert model.options["features"] == 6 and model.options["dropout"] == recipe.options["dropout"]
    told = f"{recipe.told}, but for features, layers, epochs"
    assert model.record.recipe == told
    assert model.record.trained.startswith("2 steps of 32 images")
    assert "cores" in model.record.hardware or "torch" in model.record.hardware
    assert f"| Recipe | {told} |" in (out / "README.md").read_text()


def test_a_config_file_stands_between_the_flags_and_the_recipe(tmp_path, monkeypatch):
    config = tmp_path / "own.toml"
    config.write_text('recipe = "digits-gated"\nlayers = 3\nfeatures = 9\nepochs = 0.03\ngrids = 0\n')
    assert run(["train", "digits", "--config", str(config), "--features", "6", "--out", str(tmp_path / "a")]) == 0
    options = nx.load(tmp_path / "a").options
    assert (options["features"], options["layers"], options["dropout"]) == (6, 3, 0.5)
    monkeypatch.setenv("NEXTPIXEL_TRAIN_RECIPE", "digits-gated")
    monkeypatch.setenv("NEXTPIXEL_TRAIN_STEPS", "1")
    assert run(["train", "--out", str(tmp_path / "b"), *SMALL]) == 0
    model = nx.load(tmp_path / "b")
    assert model.options["dropout"] == 0.5 and model.record.trained.startswith("1 step of")


def test_a_recipe_that_is_followed_is_told_as_it_is():
    recipe = read_recipe("digits-gated")
    usual = asdict(ModelOptions()) | asdict(DataOptions()) | asdict(TrainingSettings())
    used = usual | {"model": recipe.family} | recipe.options
    assert recipe.told_of(used, usual) == recipe.told
    assert recipe.told_of(used | {"device": "cuda", "grids": 9}, usual) == recipe.told
    changed = used | {"model": "pixelcnn", "ema": 0.5, "dropout": 0.1}
    assert recipe.told_of(changed, usual) == f"{recipe.told}, but for dropout, ema, model"


def test_an_unknown_recipe_is_told_with_those_there_are(tmp_path, capsys):
    assert run(["train", "digits", "--recipe", "digits-gaited", "--out", str(tmp_path / "run")]) == 2
    assert "digits-gated" in capsys.readouterr().err
    assert run(["recipes", "digits-gaited"]) == 2


def test_the_list_names_all_and_one_tells_its_options(capsys):
    assert run(["recipes"]) == 0
    listed = capsys.readouterr().out
    assert all(name in listed for name in recipes())
    assert run(["recipes", "imagenet64-row-lstm-paper"]) == 0
    assert "--no-residual" in capsys.readouterr().out

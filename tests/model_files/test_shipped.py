"""The models that come with the package: each is what its card says, and found by its name."""

import json
import math
import shlex
import subprocess
import sys

import pytest
import torch

import nextpixel as nx
from helpers.tiny_models import tiny
from helpers.versions import since_torch_2_13
from nextpixel.cli.app import run
from nextpixel.errors import ModelError
from nextpixel.model_files.shipped import HERE, find_model, read_config, shipped

MOST_BYTES = 25 * 10**6
OFFLINE = ("digits",)
"""Data that every machine has."""


@pytest.fixture(params=shipped())
def name(request):
    return request.param


def test_there_is_a_model_of_data_that_everyone_has():
    assert "nextpixel/digits-gated" in shipped()


def test_together_they_are_small():
    assert sum(path.stat().st_size for path in HERE.rglob("*") if path.is_file()) <= MOST_BYTES


def test_it_loads_by_its_name_in_float32_and_draws(name):
    model = nx.load(name)
    assert next(model.parameters()).dtype == torch.float32 and not model.training
    assert read_config(name)["storage"] in ("float16", "bfloat16", "float32")
    assert sum(each.numel() for each in model.parameters()) == model.record.parameters


def test_its_card_is_whole(name):
    card = (find_model(name) / "README.md").read_text()
    assert card.startswith(f"# {name}\n")
    for heading in (
        *("Images", "Parameters", "Stored in", "Data", "Protocol", "Command", "Trained", "Hardware", "Validation"),
        *("Evaluated by", "Causality"),
    ):
        assert f"\n| {heading} | " in card
    for heading in ("Samples", "In the course of training", "Limits", "Intended use"):
        assert f"\n## {heading}\n" in card
    assert "causality holds" in card and "stepwise equals parallel" in card
    assert sorted(path.name for path in find_model(name).iterdir()) == [
        *("README.md", "config.json", "curve.png", "model.safetensors", "samples.png")
    ]


def test_its_record_names_no_folder_of_the_machine_that_made_it(name):
    record = read_config(name)["record"]
    for entry in ("command", "evaluated_by"):
        assert not any(word.startswith(("/", "~")) for word in shlex.split(record[entry]))


def test_its_causality_holds(name):
    report = nx.check_causality(nx.load(name), outputs=6)
    assert report.ok, report


def test_evaluating_gives_the_figure_of_the_card(name, capsys):
    record = read_config(name)["record"]
    command = shlex.split(record["evaluated_by"])
    assert command[:3] == ["nextpixel", "evaluate", name]
    if command[3] not in OFFLINE:
        pytest.skip(f"{command[3]} is not on every machine")
    assert run(command[1:]) == 0
    told = record["validation"].partition(": ")[2].replace("nats an image", "nats per image")
    assert told in capsys.readouterr().out


def test_a_folder_of_the_same_path_comes_first(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    name = shipped()[0]
    assert nx.load(name).image_shape != (1, 3, 4)
    tiny("pixelcnn", (1, 3, 4)).save(tmp_path / name)
    assert nx.load(name).image_shape == (1, 3, 4)


@pytest.mark.parametrize("load", [nx.load, find_model])
def test_an_unknown_name_lists_those_there_are(load):
    with pytest.raises(ModelError, match="nextpixel/digits-gated"):
        load("nextpixel/digits-gaited")


@pytest.mark.parametrize(
    "path", ["nextpixel", "runs/nextpixel", "nextpixel/a/b", "/nextpixel/digits-gated", ".", "x\0"]
)
def test_other_paths_are_left_alone(path):
    assert str(find_model(path)) == path


def test_every_command_that_takes_a_run_takes_a_name(tmp_path, capsys):
    name = "nextpixel/digits-gated"
    assert run(["info", name]) == 0
    assert run(["sample", name, "--count", "2", "--out", str(tmp_path / "pictures")]) == 0
    file = tmp_path / "a.npx"
    words = ["compress", name, str(tmp_path / "pictures"), "--embed-model", "--no-compare", "--out", str(file)]
    assert run(words) == 0
    assert run(["decompress", str(file), "--out", str(tmp_path / "embedded")]) == 0
    assert run(["decompress", name, str(file), "--out", str(tmp_path / "named")]) == 0
    for folder in ("embedded", "named"):
        for picture in (tmp_path / "pictures").iterdir():
            assert (tmp_path / folder / picture.name).read_bytes() == picture.read_bytes()
    assert run(["models"]) == 0
    assert name in capsys.readouterr().out


def test_the_figures_of_a_record_agree_with_each_other(name):
    config = json.loads((find_model(name) / "config.json").read_text())
    own = config["record"]["likelihood"]
    dimensions = math.prod(config["model"]["image_shape"])
    assert math.isclose(own["nats"], own["bits_per_dim"] * dimensions * math.log(2))


def test_the_list_of_models_keeps_names_apart_from_what_they_are(capsys):
    assert run(["models"]) == 0
    first_words = {line.split()[0] for line in capsys.readouterr().out.splitlines() if line.startswith("  ")}
    assert first_words == {*nx.models(), *shipped()}


LIGHT = """
import sys, torch
import nextpixel as nx
from nextpixel.model_files.shipped import shipped
for name in shipped():
    nx.load(name)
    assert not {"sympy", "torch._dynamo"} & set(sys.modules), name
with torch.device("meta"):
    for family in nx.models():
        nx.build(family, image_shape=(3, 8, 8), levels=17)
        assert not {"sympy", "torch._dynamo"} & set(sys.modules), family
"""


@since_torch_2_13
def test_loading_a_model_does_not_import_the_compiler_of_pytorch():
    """It would take longer than all the rest of a short command."""
    done = subprocess.run([sys.executable, "-c", LIGHT], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr

"""Families of other packages, and the example of one."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch

import nextpixel as nx
from helpers.registry import kept_registry
from helpers.tiny_models import noise, seeded
from nextpixel.errors import ModelError
from nextpixel.families import registry
from nextpixel.verify import stepwise_difference

EXAMPLE = Path(__file__).parents[2] / "examples" / "my_family.py"


@pytest.fixture
def own_registry(monkeypatch):
    """A registry that forgets afterwards what a test registers."""
    monkeypatch.setattr(registry, "_imported", set())
    with kept_registry():
        yield monkeypatch
    sys.modules.pop(EXAMPLE.stem, None)


@pytest.fixture
def example(own_registry):
    own_registry.setenv("NEXTPIXEL_FAMILIES", str(EXAMPLE))
    assert "masked-stack" in nx.models()


@pytest.mark.usefixtures("example")
def test_the_example_is_a_model_like_others(tmp_path):
    model = nx.build("masked-stack", image_shape=(3, 3, 4), levels=4, features=9, layers=2, reach=1)
    report = nx.check_causality(model)
    assert report.ok, str(report)
    assert stepwise_difference(model) < 1e-4
    model.save(tmp_path)
    again = nx.load(tmp_path)
    images = noise(model, 2)
    assert torch.equal(again.log_prob(images), model.log_prob(images))
    assert torch.equal(again.sample(2, generator=seeded()), model.sample(2, generator=seeded()))
    with pytest.raises(
        ModelError,
        match=r"masked-stack has no option 'skips'; its options are .*, components, reach",
    ):
        nx.build("masked-stack", image_shape=(1, 2, 2), skips=True)
    with pytest.raises(ModelError, match="reach must be an integer from 1 to 20, not 0"):
        nx.build("masked-stack", image_shape=(1, 2, 2), reach=0)


def test_a_folder_of_a_family_that_is_not_there_says_what_to_do(own_registry, tmp_path):
    own_registry.setenv("NEXTPIXEL_FAMILIES", str(EXAMPLE))
    nx.build("masked-stack", image_shape=(1, 2, 2), levels=2).save(tmp_path)
    own_registry.delenv("NEXTPIXEL_FAMILIES")
    del registry.FAMILIES["masked-stack"]
    with pytest.raises(ModelError, match=r"no model 'masked-stack'.* that NEXTPIXEL_FAMILIES names"):
        nx.load(tmp_path)


COMMANDS = """
import sys
from nextpixel.cli.app import run
folder, grid, packed = sys.argv[1:]
train = "--model masked-stack --layers 1 --reach 1 --features 4 --steps 1 --grids 0".split()
codes = [
    run(["models", "--json"]),
    run(["train", "--help"]),
    run(["train", "digits", *train, "--out", folder]),
    run(["sample", folder, "--count", "1", "--out", grid]),
    run(["check", folder]),
    run(["compress", folder, grid, "--out", packed]),
]
sys.exit(0 if codes == [0, 0, 0, 0, 0, 2] else f"exit codes {codes}")
"""


def test_the_command_line_trains_and_uses_it(tmp_path):
    environment = os.environ | {"NEXTPIXEL_FAMILIES": str(EXAMPLE), "OMP_NUM_THREADS": "1"}
    places = [str(tmp_path / name) for name in ("run", "grid.png", "a.npx")]
    command = [sys.executable, "-c", COMMANDS, *places]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    listed, _ = json.JSONDecoder().raw_decode(done.stdout)
    options = listed["families"]["masked-stack"]["options"]
    assert [one["name"] for one in options] == ["features", "layers", "head", "components", "reach"]
    assert "--reach" in done.stdout
    assert "causality holds" in done.stdout
    assert "models of the family masked-stack cannot compress" in done.stderr


def test_an_entry_point_names_a_module(own_registry, tmp_path):
    (tmp_path / "stacked.py").write_text(EXAMPLE.read_text().replace("masked-stack", "stacked-masks"))
    metadata = tmp_path / "stacked-1.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: stacked\nVersion: 1\n")
    (metadata / "entry_points.txt").write_text("[nextpixel.families]\nstacked-masks = stacked\n")
    own_registry.syspath_prepend(str(tmp_path))
    assert "stacked-masks" in nx.models()
    assert nx.build("stacked-masks", image_shape=(1, 2, 2), levels=2).family == "stacked-masks"


@pytest.mark.parametrize("name", ["no_such_module", "no_such_file.py"])
def test_a_module_that_cannot_be_imported_is_told(own_registry, name):
    own_registry.setenv("NEXTPIXEL_FAMILIES", name)
    for _ in range(2):
        with pytest.raises(ModelError, match=f"NEXTPIXEL_FAMILIES names {name}, which cannot be imported"):
            nx.models()


def config(**members):
    annotations = {name: type(value) for name, value in members.items() if name not in ("family", "summary")}
    members = {"family": "one-more", "summary": "one more", **members}
    return dataclass(frozen=True, kw_only=True)(
        type("OneMore", (nx.Config,), {**members, "__annotations__": annotations, "__module__": __name__})
    )


def family_of(config_class):
    members = {} if config_class is None else {"config_class": config_class}
    return type("Model", (nx.ImageModel,), {**members, "__module__": __name__})


@pytest.mark.usefixtures("own_registry")
@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: 3, "a family is a subclass of nextpixel.ImageModel, not 3"),
        (lambda: family_of(None), "Model has no config_class"),
        (lambda: family_of(config(family="One More")), "must be lower-case words with dashes between, not 'One More'"),
        (lambda: family_of(config(summary="")), "must say in one line what the family is"),
        (lambda: family_of(config(family="pixelcnn")), "there is a family 'pixelcnn' already"),
        (lambda: family_of(config(depth=3)), "OneMore.depth is no option"),
    ],
)
def test_what_is_no_family_is_refused(make, message):
    with pytest.raises(ModelError, match=message):
        nx.register(make())
    assert "one-more" not in nx.models()


@pytest.mark.usefixtures("own_registry")
def test_options_that_others_have_of_another_kind_or_that_all_models_have_are_refused():
    @dataclass(frozen=True, kw_only=True)
    class Clash(nx.Config):
        family = "one-more"
        summary = "one more"
        layers: float = nx.option(3.0, "Layers.")

    with pytest.raises(ModelError, match=r"the option layers of Clash is float, that of .* int; rename it"):
        nx.register(family_of(Clash))

    @dataclass(frozen=True, kw_only=True)
    class Reserved(nx.Config):
        family = "one-more"
        summary = "one more"
        levels: int = nx.option(3, "Levels.")

    with pytest.raises(ModelError, match="an option cannot be called levels"):
        nx.register(family_of(Reserved))


@pytest.mark.usefixtures("own_registry")
def test_the_same_class_may_be_registered_again():
    first, second = (family_of(config()) for _ in range(2))
    nx.register(first)
    assert nx.register(second) is second
    assert nx.models().count("one-more") == 1


def test_the_packages_that_are_there_are_looked_up_once(own_registry):
    registry.families()
    own_registry.setattr("importlib.metadata.entry_points", lambda **_: pytest.fail("looked up again"))
    nx.build("pixelcnn", image_shape=(1, 2, 2), levels=2, features=2, layers=1)

"""Models on the Hugging Face hub, in its cache and behind its interface; nothing here needs a network."""

import shutil
import sys

import pytest
import torch

import nextpixel as nx
from helpers.tiny_models import noise, tiny
from nextpixel.cli.app import run
from nextpixel.errors import ModelError
from nextpixel.model_files import hub

library = pytest.importorskip("huggingface_hub")
constants = pytest.importorskip("huggingface_hub.constants")

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """The library's cache, empty, and no network."""
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    hub.fetch.cache_clear()
    yield tmp_path / "cache"
    hub.fetch.cache_clear()


def put(cache, folder, repository, revision="main"):
    """Lay a folder into the cache as the library does."""
    place = cache / f"models--{repository.replace('/', '--')}"
    shutil.copytree(folder, place / "snapshots" / COMMIT)
    (place / "refs").mkdir()
    (place / "refs" / revision).write_text(COMMIT)


@pytest.fixture
def model():
    return tiny("gated-pixelcnn", (1, 4, 4), 3).eval()


@pytest.mark.parametrize(("revision", "name"), [("main", "hf:someone/small"), ("v1", "hf:someone/small@v1")])
def test_a_model_of_the_hub_is_loaded_by_its_name(cache, model, tmp_path, revision, name):
    model.save(tmp_path / "model")
    put(cache, tmp_path / "model", "someone/small", revision)
    images = noise(model, 3)
    assert torch.equal(nx.load(name).log_prob(images), model.log_prob(images))
    assert run(["info", name]) == 0


def test_a_model_that_is_not_there_says_what_to_do(capsys):
    with pytest.raises(ModelError, match=r"hf:someone/none cannot be fetched .*: check the name and the network"):
        nx.load("hf:someone/none")
    assert run(["sample", "hf:someone/none"]) == 2
    assert capsys.readouterr().err.count("\n") == 1


@pytest.mark.parametrize("name", ["hf:", "hf:someone", "hf:a/b/c", "hf:a/b@", "hf:a b/c", "hf:../x/y"])
def test_other_names_are_refused(name):
    with pytest.raises(ModelError, match="names no model of the Hugging Face hub; those are hf:USER/NAME"):
        nx.load(name)


def test_without_the_library_it_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(ModelError, match=r"pip install 'nextpixel\[hub\]'"):
        nx.load("hf:someone/small")


class Hub:
    """What of the interface a push needs; repositories appear in the cache."""

    endpoint = "https://hub.example"
    cache = None

    def create_repo(self, repository, *, exist_ok):
        assert exist_ok and repository.count("/") == 1

    def upload_folder(self, *, repo_id, folder_path, commit_message):
        assert commit_message
        put(self.cache, folder_path, repo_id)


@pytest.fixture
def digits(tmp_path):
    model = tiny("gated-pixelcnn", (1, 8, 8), 17).eval()
    model.save(tmp_path / "run")
    return tmp_path / "run"


def test_what_is_pushed_is_loaded_again(cache, digits, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(Hub, "cache", cache)
    monkeypatch.setattr(library, "HfApi", Hub)
    command = ["export", str(digits), "--valid", "digits", "--outputs", "5", "--out", str(tmp_path / "out")]
    assert run([*command, "--push", "hf:someone/digits"]) == 0
    assert "pushed: https://hub.example/someone/digits" in capsys.readouterr().out
    images = nx.open_images("digits", split="test")[:4]
    assert torch.equal(nx.load("hf:someone/digits").log_prob(images), nx.load(tmp_path / "out").log_prob(images))


def test_a_push_that_cannot_be_is_refused_before_the_work(digits, tmp_path, capsys):
    command = ["export", str(digits), "--valid", "digits", "--out", str(tmp_path / "out"), "--push"]
    assert run([*command, "hf:nobody"]) == 2
    assert run([*command, "hf:someone/digits@v1"]) == 2
    assert "leave out what follows the @" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_push_that_fails_keeps_what_was_exported(digits, tmp_path, capsys):
    command = ["export", str(digits), "--valid", "digits", "--outputs", "5", "--out", str(tmp_path / "out")]
    assert run([*command, "--push", "hf:someone/digits"]) == 2
    assert "could not be pushed to hf:someone/digits" in capsys.readouterr().err
    assert nx.load(tmp_path / "out").levels == 17

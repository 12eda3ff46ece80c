import json
import shlex
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import nextpixel as nx
from helpers import tiny_models
from helpers.tiny_models import sharper
from nextpixel import exporting as module
from nextpixel.errors import InputError, ModelError
from nextpixel.exporting import export, protocol, without_folders
from nextpixel.model_files.record import TrainingRecord
from nextpixel.training.run_folder import RunFolder

SHAPE = (1, 4, 4)
CARD = {"name": "somebody/something", "evaluated_by": "nextpixel evaluate somebody/something images.npz"}


@pytest.fixture
def valid(tmp_path, monkeypatch):
    monkeypatch.setenv("NEXTPIXEL_CACHE", str(tmp_path / "cache"))
    pixels = np.random.default_rng(0).integers(0, 3, (12, 4, 4)).astype(np.uint8)
    np.savez(tmp_path / "images.npz", images=pixels, levels=3, labels=np.arange(12) % 3)
    return nx.open_images(tmp_path / "images.npz")


def saved(family, folder, **options):
    model = sharper(tiny_models.tiny(family, SHAPE, default_condition=False, **options), 1.5).eval()
    command = "nextpixel train /home/me/secret/noise.npz --out /home/me/runs/one"
    model.record = TrainingRecord(data="noise", command=command)
    model.save(folder)
    return model


@pytest.mark.parametrize("storage", ["float16", "bfloat16", "float32"])
def test_it_is_the_same_model_in_half_the_bytes(family, tmp_path, valid, monkeypatch, storage):
    # Weights drawn at random are no fair test of how much rounding costs a trained model.
    monkeypatch.setattr(module, "MOST_CHANGE", 0.02)
    model = saved(family, tmp_path / "run")
    done = export(tmp_path / "run", tmp_path / "out", valid, **CARD, storage=storage, outputs=4)
    again = nx.load(tmp_path / "out")
    for name, tensor in model.state_dict().items():
        expected = tensor.to(getattr(torch, storage)).float()
        assert torch.equal(again.state_dict()[name], expected)
    assert json.loads((tmp_path / "out" / "config.json").read_text())["storage"] == storage
    assert nx.evaluate(again, valid) == done.likelihood
    assert again.record.likelihood.nats == done.likelihood.nats
    weights = [(tmp_path / folder / "model.safetensors").stat().st_size for folder in ("run", "out")]
    assert (weights[1] < 0.8 * weights[0]) == (storage != "float32")
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        *("README.md", "config.json", "model.safetensors", "samples.png")
    ]


def test_weights_of_few_bits_take_less_in_an_archive(tmp_path, valid, monkeypatch):
    monkeypatch.setattr(module, "MOST_CHANGE", 0.05)
    saved("gated-pixelcnn", tmp_path / "run")
    for bits in (None, 3):
        export(tmp_path / "run", tmp_path / str(bits), valid, **CARD, fraction_bits=bits, outputs=2)
    whole, rounded = (nx.load(tmp_path / str(bits)).state_dict() for bits in (None, 3))
    for name, weight in rounded.items():
        torch.testing.assert_close(weight, whole[name], rtol=2**-4, atol=0)
        fraction = torch.frexp(weight)[0] * 2**4
        assert torch.equal(fraction, fraction.round())
    packed = [len(zlib.compress((tmp_path / str(bits) / "model.safetensors").read_bytes())) for bits in (None, 3)]
    assert packed[1] < 0.8 * packed[0]
    assert "float16 with 3 bits of fraction, which changes" in (tmp_path / "3" / "README.md").read_text()


@pytest.mark.parametrize(
    ("bits", "storage"),
    [(0, "float16"), (11, "float16"), (8, "bfloat16"), (24, "float32"), (2.5, "float16"), ("many", "float16")],
)
def test_bits_that_no_weight_has_are_refused(tmp_path, valid, bits, storage):
    saved("gated-pixelcnn", tmp_path / "run")
    told = f"fraction_bits of {storage} must be an integer from 1 to"
    refused(tmp_path, valid, told, nx.InputError, fraction_bits=bits, storage=storage)


def test_the_card_says_everything_and_no_names_of_folders(tmp_path, valid):
    saved("gated-pixelcnn", tmp_path / "run")
    run = RunFolder(tmp_path / "run")
    run.settings.write_text(json.dumps({"training": {"steps": 90, "seed": 4, "minutes": None, "batch_size": 8}}))
    for step, nats in ((10, 20.0), (20, 17.0), (30, 18.0)):
        run.log({"step": step, "seconds": step / 10, "valid_nats": nats})
        run.log({"step": step, "train_nats": 16.0})
    card = {
        "name": "a/b",
        "evaluated_by": "nextpixel evaluate a/b",
        "limits": "Only noise.",
        "intended_use": "None.",
    }
    done = export(tmp_path / "run", tmp_path / "out", valid, **card, storage="float32")
    text = (tmp_path / "out" / "README.md").read_text()
    assert text.startswith("# a/b\n") and "/home/me" not in text and "secret" not in text
    for part in (
        "`nextpixel train noise.npz --out one`",
        "steps 90, seed 4",
        "best by validation at step 20",
        str(done.likelihood),
        "causality holds: 16 of 16 outputs",
        "![Samples](samples.png)",
        "![Validation in the course of training](curve.png)",
        "Only noise.",
        "\nNone.\n",
        "| Protocol | 3 levels |",
        "| Hardware | not recorded |",
        "| Trained | 30 steps of 8 images, 0.1 minutes, stopped before its end; best by validation at step 20 |",
        "`nextpixel evaluate a/b`",
        'nx.load("a/b")',
    ):
        assert part in text
    assert [each.nats for each in nx.load(tmp_path / "out").record.validations] == [20.0, 17.0, 18.0]


def test_a_model_of_labels_is_drawn_class_by_class(tmp_path, valid):
    saved("gated-pixelcnn", tmp_path / "run", condition=nx.Labels(3))
    export(tmp_path / "run", tmp_path / "out", valid.with_condition(valid.labels), **CARD, storage="float32", outputs=2)
    assert "10 samples of each of the first 3 classes" in (tmp_path / "out" / "README.md").read_text()


def test_an_autoencoder_says_that_its_figure_is_no_density(tmp_path, valid):
    saved("autoencoder", tmp_path / "run")
    export(tmp_path / "run", tmp_path / "out", valid, **CARD, storage="float32", outputs=2)
    assert "not a density" in (tmp_path / "out" / "README.md").read_text()


def test_what_was_exported_can_be_exported_again(tmp_path, valid):
    saved("gated-pixelcnn", tmp_path / "run")
    for step in (10, 20):
        RunFolder(tmp_path / "run").log({"step": step, "seconds": step / 10, "valid_nats": 30.0 - step})
    first = export(tmp_path / "run", tmp_path / "one", valid, **CARD, storage="float32", outputs=2)
    second = export(tmp_path / "one", tmp_path / "two", valid, **CARD, storage="float32", outputs=2)
    assert second.likelihood == first.likelihood and second.change == 0
    for name in ("model.safetensors", "config.json", "README.md", "samples.png", "curve.png"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


def refused(tmp_path, valid, message, error=ModelError, **options):
    with pytest.raises(error, match=message):
        export(tmp_path / "run", tmp_path / "out", valid, **CARD, outputs=2, **options)
    assert not (tmp_path / "out").exists()


def test_weights_that_half_precision_cannot_hold_are_refused(tmp_path, valid):
    model = tiny_models.tiny("gated-pixelcnn", SHAPE, default_condition=False)
    with torch.no_grad():
        next(iter(model.parameters())).fill_(1e6)
    model.save(tmp_path / "run")
    refused(tmp_path, valid, "--dtype float32")
    export(tmp_path / "run", tmp_path / "wide", valid, **CARD, storage="bfloat16", outputs=2)


def test_a_change_beyond_the_limit_is_refused(tmp_path, valid, monkeypatch):
    saved("gated-pixelcnn", tmp_path / "run")
    monkeypatch.setattr(module, "MOST_CHANGE", 0.0)
    refused(tmp_path, valid, "--dtype float32")


def test_a_model_that_sees_the_future_is_refused(tmp_path, valid, monkeypatch):
    saved("gated-pixelcnn", tmp_path / "run")
    monkeypatch.setattr("nextpixel.nn.gated.shift_down", lambda maps: maps)
    refused(tmp_path, valid, "fails `nextpixel check`", storage="float32")


def test_a_folder_that_holds_something_is_refused(tmp_path, valid):
    saved("gated-pixelcnn", tmp_path / "run")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").write_text("mine")
    with pytest.raises(InputError, match="full"):
        export(tmp_path / "run", tmp_path / "full", valid, **CARD)
    assert (tmp_path / "full" / "mine.txt").read_text() == "mine"


@given(st.lists(st.text("abc-_. é", min_size=1).filter(str.strip), min_size=1, max_size=4))
def test_absolute_paths_keep_their_last_part_only(parts):
    path = "/" + "/".join(parts)
    words = ["nextpixel", "train", path, f"--valid={path}", "--out", "runs/a"]
    cut = shlex.split(without_folders(shlex.join(words)))
    assert cut[:2] == words[:2] and cut[4:] == words[4:]
    assert cut[2] == (Path(path).name or "/")
    assert cut[3] == f"--valid={cut[2]}"


@pytest.mark.parametrize(
    ("levels", "binarize", "told"),
    [
        (None, None, "3 levels"),
        (2, None, "2 levels, fixed binarisation, as the file has it"),
        (None, "threshold", "made by nextpixel (threshold)"),
        (None, "stochastic", "made by nextpixel (stochastic)"),
        (None, "dynamic", "dynamic binarisation: drawn anew"),
    ],
)
@pytest.mark.usefixtures("valid")
def test_the_protocol_is_told(tmp_path, levels, binarize, told):
    images = nx.open_images(tmp_path / "images.npz", levels=levels, binarize=binarize)
    assert told in protocol(images)

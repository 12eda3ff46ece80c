"""benchmarks/craft.py, in small."""

import json
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch

import nextpixel as nx
from helpers.scripts import load_script
from nextpixel.training.schedule import learning_rate
from nextpixel.training.settings import TrainingSettings

SHAPE = (1, 8, 8)


@pytest.fixture(scope="module")
def craft():
    return load_script("benchmarks/craft.py")


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    path = tmp_path_factory.mktemp("data") / "images.npz"
    np.savez(path, images=np.random.default_rng(0).integers(0, 256, (60, *SHAPE[1:]), np.uint8))
    return path


@pytest.fixture(scope="module")
def training(data):
    return nx.open_images(data)


def model(craft):
    torch.manual_seed(0)
    return nx.build("gated-pixelcnn", image_shape=SHAPE, **craft.MODEL)


def test_rates_have_the_warm_up_of_the_package_and_the_cosine_is_its_own(craft):
    settings = TrainingSettings(steps=100, **craft.SETTINGS)
    for shape, at in craft.SHAPES.items():
        variant = craft.Variant(shape=shape)
        rates = [craft.rate_of(variant, settings, step, step / 100) for step in range(100)]
        assert rates[5] == pytest.approx(settings.learning_rate * (50 / 100) * at(0.05))
        assert rates[60] == pytest.approx(settings.learning_rate * at(0.6))
        if shape == "cosine":
            assert rates == [learning_rate(settings, step, step / 100) for step in range(100)]


def test_with_positions_a_model_begins_as_without_and_then_sees_them(craft):
    plain, other = model(craft), model(craft)
    craft.add_positions(other)
    images = torch.randint(0, 256, (2, *SHAPE), generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(other.log_prob(images), plain.log_prob(images))
    other.log_prob(images).sum().backward()
    assert other.layers[0].vertical.weight.grad[:, -2:].abs().amin(dim=(2, 3)).min() > 0
    assert other.layers[0].horizontal.weight.grad[:, -2:].abs().sum(dim=(2, 3)).min() > 0


def test_with_positions_no_pixel_sees_itself_or_later_ones(craft):
    other = model(craft)
    craft.add_positions(other)
    torch.nn.init.normal_(other.layers[0].horizontal.weight)
    torch.nn.init.normal_(other.layers[0].vertical.weight)
    images = torch.randint(0, 256, (1, *SHAPE), generator=torch.Generator().manual_seed(0))
    changed = images.clone()
    changed[0, 0, 4, 3] = 255 - changed[0, 0, 4, 3]
    with torch.no_grad():
        before, after = (other.logits(each).flatten(3).squeeze(2) for each in (images, changed))
    differs = (before != after).any(dim=1)[0]
    place = 4 * SHAPE[2] + 3
    assert not differs[: place + 1].any()
    assert differs[place + 1 :].any()


def test_shifts_are_of_a_pixel_at_most_and_differ(craft, training):
    drawn, seen = craft.Shifted(training, 0), set()
    for image, plain in zip(drawn.batch(range(60)), training.batch(range(60)), strict=True):
        padded = torch.nn.functional.pad(plain, (1, 1, 1, 1))
        shifts = [(y, x) for y in range(3) for x in range(3) if torch.equal(padded[:, y : y + 8, x : x + 8], image)]
        assert len(shifts) == 1
        seen.update(shifts)
    assert len(seen) == 9
    assert torch.equal(drawn.batch([3, 4], draw=7), drawn.batch([3, 4], draw=7))
    assert torch.equal(drawn.batch([3, 4], draw=7)[1:], drawn.batch([4], draw=7, place=1))


def test_muon_moves_kernels_by_matrices_whose_singular_values_are_alike(craft, training):
    steps = craft.prepared(craft.Variant(muon=1.0), training, TrainingSettings(steps=1, **craft.SETTINGS))
    before = {name: weight.detach().clone() for name, weight in steps.model.named_parameters()}
    steps.take(0, 0.01)
    changes = {name: weight.detach() - before[name] for name, weight in steps.model.named_parameters()}
    # The levels that no image of the batch has stay.
    assert [name for name, change in changes.items() if not change.any()] == []
    for name in ("layers.2.vertical.weight", "layers.3.out.weight", "readout.hidden.weight"):
        matrix = changes[name].flatten(1)
        values = torch.linalg.svdvals(matrix) / (0.01 * 0.2 * max(matrix.shape) ** 0.5)
        # Newton and Schulz's iteration leaves some of the smallest behind.
        assert 0.5 < values.median() < 1.3
        assert values.max() < 1.3


def test_a_run_writes_figures_and_nats_and_goes_on_where_it_ended(craft, data, tmp_path, monkeypatch, capsys):
    out = tmp_path / "craft.jsonl"
    # Processes would each import PyTorch anew.
    monkeypatch.setattr(craft, "ProcessPoolExecutor", lambda count, **_: ThreadPoolExecutor(count))

    def run(*variants):
        words = ["--valid-images", "3", "--steps", "4", "--out", out, "--processes", "1", "--variants", *variants]
        monkeypatch.setattr(sys, "argv", ["craft.py", *map(str, [data, *words])])
        craft.main()
        return capsys.readouterr().out.splitlines()

    run("base")
    lines = {line["name"]: line for line in map(json.loads, out.read_text().splitlines())}
    nats = np.load(out.with_suffix(".npz"))
    assert nats["base"].shape == (3,)
    assert lines["base"]["nats"] == pytest.approx(nats["base"].mean())
    assert lines["base"]["steps"] == 4
    # Four steps are too few for these to differ.
    assert np.array_equal(nats["base; average 0.9995"], nats["base"])
    assert not np.array_equal(nats["base; average none"], nats["base"])

    told = run("base", "clip 0.1")
    assert [line.split(" s: ")[1] for line in told if " s: " in line] == ["clip 0.1"]
    nats = np.load(out.with_suffix(".npz"))
    change = (nats["clip 0.1"] - nats["base"]).mean()
    assert f" {change:+.2f} ± " in next(line for line in told if line.startswith("| clip 0.1"))

    record = craft.Record(out)
    with pytest.raises(SystemExit, match="of another steps"):
        record.begin(record.lines["about"] | {"steps": 5})

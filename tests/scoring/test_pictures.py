import json
import math

import numpy as np
import pytest
import torch
from PIL import Image

import nextpixel as nx
from nextpixel.model_files.likelihood import Likelihood

SIZES = [(6, 9), (5, 5), (12, 4)]


@pytest.fixture
def model(monkeypatch):
    """Stands for a model of any size: its likelihood of an image is known."""
    torch.manual_seed(0)
    model = nx.build("pixelcnn", image_shape=(1, 4, 4), levels=256, features=4, layers=1).eval()
    monkeypatch.setattr(type(model), "any_size", True)
    monkeypatch.setattr(model, "log_prob", lambda images, _: -images.flatten(1).double().mul(0.01).add(1.0).sum(dim=1))
    return model


@pytest.fixture
def pictures(tmp_path, monkeypatch):
    monkeypatch.setenv("NEXTPIXEL_CACHE", str(tmp_path / "cache"))
    generator = np.random.default_rng(0)
    (tmp_path / "set").mkdir()
    for number, size in enumerate(SIZES):
        Image.fromarray(generator.integers(0, 256, size).astype(np.uint8)).save(tmp_path / "set" / f"{number}.png")
    return nx.open_pictures(tmp_path / "set")


def test_pictures_of_different_sizes_are_averaged_by_sub_pixel(model, pictures):
    likelihood = nx.evaluate(model, pictures)
    nats = [float(picture.double().mul(0.01).add(1.0).sum()) for picture in pictures]
    total = sum(height * width for height, width in SIZES)
    assert likelihood.by_sub_pixel and likelihood.images == 3
    assert likelihood.bits_per_dim == pytest.approx(sum(nats) / total / math.log(2))
    assert likelihood.nats == pytest.approx(np.mean(nats))
    assert "averaged by sub-pixel" in str(likelihood)


def test_each_picture_is_scored_by_its_own_size(model, pictures):
    table = nx.score(model, pictures)
    for row, picture in zip(table, pictures, strict=True):
        assert row["bits_per_dim"] == pytest.approx(row["nats"] / picture.numel() / math.log(2))
    assert "typicality" not in table.columns


def test_models_of_one_size_and_other_channels_or_levels_are_refused(model, pictures, tmp_path, monkeypatch):
    with pytest.raises(nx.InputError, match="levels"):
        nx.evaluate(model, nx.open_pictures(tmp_path / "set", levels=16))
    monkeypatch.setattr(type(model), "any_size", False)
    with pytest.raises(nx.InputError, match="--resize"):
        nx.evaluate(model, pictures)


def test_equal_figures_have_no_error_and_a_ratio_has_that_of_its_residuals():
    sizes = torch.tensor([10, 20, 30])
    same = Likelihood.of(sizes * 2.0, sizes)
    assert same.bits_per_dim == pytest.approx(2 / math.log(2)) and same.bits_per_dim_standard_error == 0
    generator = np.random.default_rng(1)
    means, errors = [], []
    for _ in range(300):
        sizes = torch.from_numpy(generator.integers(50, 500, 40))
        nats = sizes * torch.from_numpy(generator.normal(2.0, 0.3, 40))
        likelihood = Likelihood.of(nats, sizes)
        means.append(likelihood.bits_per_dim)
        errors.append(likelihood.bits_per_dim_standard_error)
    assert np.mean(errors) == pytest.approx(np.std(means), rel=0.15)


def test_a_record_keeps_how_a_figure_was_averaged():
    from nextpixel.model_files.record import TrainingRecord

    sizes = torch.tensor([10, 20, 30])
    record = TrainingRecord(likelihood=Likelihood.of(sizes * 2.0, sizes))
    assert TrainingRecord.from_json(json.loads(json.dumps(record.to_json()))) == record

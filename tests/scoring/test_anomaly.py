import math

import numpy as np
import pytest
import torch

import nextpixel as nx
from helpers.tiny_models import noise, sharper, tiny
from nextpixel.data import open_images
from nextpixel.errors import InputError
from nextpixel.scoring.anomaly import SCORES, Scorer, calibrated, score_batches
from nextpixel.scoring.references import has_jpeg_xl

tiny_model = tiny("gated-pixelcnn")


def test_every_family_is_scored(variant):
    model = sharper(tiny(variant))
    images = noise(model, 5)
    table = nx.score(model, images)
    with torch.no_grad():
        nats = -model.log_prob(images).double().numpy()
    assert len(table) == 5
    np.testing.assert_allclose(table["nats"], nats, rtol=1e-5)
    np.testing.assert_allclose(table["bits_per_dim"], nats / (12 * math.log(2)), rtol=1e-5)
    assert set(table.columns) == {"nats", "bits_per_dim", "complexity"}
    assert np.isfinite(table["complexity"]).all()


def test_a_table_is_read_by_columns_and_by_rows():
    model = tiny("gated-pixelcnn")
    table = nx.score(model, noise(model, 5))
    assert [row["nats"] for row in table] == table["nats"].tolist()
    assert table[-1] == table[4] and len(table[1:3]) == 2 and table[1:3][0] == table[1]
    assert all(type(each) is float for each in table[0].values())
    with pytest.raises(IndexError):
        table[5]


def test_the_mode_of_the_model_does_not_matter_and_stays():
    model = tiny("gated-pixelcnn", dropout=0.5).train()
    images = noise(model, 4)
    first = nx.score(model, images)["nats"]
    assert model.training
    assert np.array_equal(first, nx.score(model.eval(), images)["nats"])


def test_parts_of_a_set_are_scored_as_the_whole(monkeypatch):
    model, background = sharper(tiny("gated-pixelcnn", (1, 4, 4), 9)), tiny("gated-pixelcnn", (1, 4, 4), 9)
    # Other images than those that are scored: one that is among the normal ones lies on the edge of a p-value.
    images, normal = noise(model, 20), noise(model, 8, seed=1)
    whole = nx.score(model, images, background=background, normal=normal, false_alarms=0.2)
    monkeypatch.setattr("nextpixel.scoring.likelihood.batch_size_for", lambda _: 3)
    steps = []
    parts = nx.score(model, images, background=background, normal=normal, false_alarms=0.2, advance=steps.append)
    assert sum(steps) == 28
    for name, column in whole.columns.items():
        np.testing.assert_allclose(parts[name], column, rtol=1e-5, atol=1e-5)


def test_the_scores_are_what_they_say():
    model, background = sharper(tiny("gated-pixelcnn", (1, 6, 6), 256)), tiny("gated-pixelcnn", (1, 6, 6), 256)
    images, normal = noise(model, 9), noise(model, 30) // 2
    own = nx.score(model, normal)["nats"]
    table = nx.score(model, images, background=background, normal=normal)
    np.testing.assert_allclose(table["typicality"], abs(table["nats"] - own.mean()), rtol=1e-9)
    with torch.no_grad():
        ratio = table["nats"] + background.log_prob(images).double().numpy()
    np.testing.assert_allclose(table["ratio"], ratio, rtol=1e-6, atol=1e-6)
    flat = torch.zeros_like(images)
    assert nx.score(model, flat)["complexity"].mean() - nx.score(model, flat)["bits_per_dim"].mean() > (
        table["complexity"].mean() - table["bits_per_dim"].mean()
    )


def test_without_normal_images_the_validation_tells_what_is_typical():
    model = tiny("gated-pixelcnn")
    model.record.likelihood = nx.Likelihood(3, 7.5, 0.1, 1.0, 0.1)
    table = nx.score(model, noise(model, 3))
    np.testing.assert_allclose(table["typicality"], abs(table["nats"] - 7.5))


@pytest.mark.parametrize("by", SCORES)
def test_p_values_of_any_score_count_the_normal_images(by):
    model, background = sharper(tiny("gated-pixelcnn", (1, 5, 5), 5)), tiny("gated-pixelcnn", (1, 5, 5), 5)
    normal, images = noise(model, 40), torch.cat([noise(model, 10), torch.zeros(5, 1, 5, 5, dtype=torch.uint8)])
    table = nx.score(model, images, background=background, normal=normal, by=by, false_alarms=0.1)
    of_normal = nx.score(model, normal, background=background, normal=normal, by=by)[by]
    # The first half of the normal images has told what is typical.
    counted = of_normal[20:] if by == "typicality" else of_normal
    expected = [(1 + (counted >= each - 1e-9).sum()) / (1 + len(counted)) for each in table[by]]
    np.testing.assert_allclose(table["p_value"], expected, atol=1.1 / (1 + len(counted)))
    assert np.array_equal(table["anomalous"], table["p_value"] <= 0.1)
    scorer = calibrated(Scorer(model, background), normal, by=by, false_alarms=0.1)
    limit = scorer.calibration.threshold(0.1)
    assert np.array_equal(scorer.calibration.p_values(np.array([limit + 1e-6, limit - 1e-6])) <= 0.1, [True, False])


def test_false_alarms_are_as_rare_as_promised():
    """Scores of one source: over many calibrations the rate is at most, and near, what was asked for."""
    from nextpixel.scoring.calibration import Calibration

    random = np.random.default_rng(0)
    alarms = [
        (Calibration("nats", random.normal(size=99)).p_values(random.normal(size=50)) <= 0.1).mean() for _ in range(400)
    ]
    assert 0.09 < np.mean(alarms) < 0.11


@pytest.mark.parametrize("rate", [0, 1, -0.1, float("nan"), 1.5])
def test_rates_out_of_range_are_refused(rate):
    model = tiny("gated-pixelcnn")
    with pytest.raises(InputError, match="rate of false alarms"):
        nx.score(model, noise(model, 2), normal=noise(model, 30), false_alarms=rate)


def test_what_cannot_be_had_is_refused():
    model = tiny("gated-pixelcnn")
    images = noise(model, 5)
    with pytest.raises(InputError, match=r"5 normal images cannot tell .* 0.1; give at least 9"):
        nx.score(model, images, normal=images, false_alarms=0.1)
    with pytest.raises(InputError, match="need held-out normal images"):
        nx.score(model, images, false_alarms=0.1)
    with pytest.raises(InputError, match="no score 'beauty'; the scores are nats, typicality, complexity, ratio"):
        nx.score(model, images, normal=images, by="beauty")
    with pytest.raises(InputError, match="needs a background model"):
        nx.score(model, images, normal=images, by="ratio")
    with pytest.raises(InputError, match="no images"):
        nx.score(model, images[:0])
    with pytest.raises(InputError):
        nx.score(model, images.float())


def test_the_reference_is_named():
    assert Scorer(tiny("gated-pixelcnn")).complexity_format == ("JPEG XL" if has_jpeg_xl() else "WebP")


def test_a_model_of_labels_scores_sets_with_and_without_them():
    model = sharper(tiny("gated-pixelcnn", (1, 4, 4), 17, condition=nx.Labels(3), default_condition=False))
    pixels = noise(model, 6)
    images = open_images(pixels[:, 0].numpy(), levels=17)
    table = nx.score(model, images)
    assert [set(row) >= {"label", "label_probability", "p(0)", "p(1)", "p(2)"} for row in table] == [True] * 6
    given = nx.score(model, images, torch.tensor([0, 1, 2, 0, 1, 2]))
    assert "label" not in given.columns
    with torch.no_grad():
        expected = -model.log_prob(images[:], torch.tensor([0, 1, 2, 0, 1, 2])).double().numpy()
    np.testing.assert_allclose(given["nats"], expected, rtol=1e-5)
    everywhere = nx.score(model, images, torch.tensor(1))
    assert len(everywhere) == 6


@pytest.mark.parametrize("label", [1, np.array(1), [1], torch.tensor(1), torch.tensor([1])])
def test_a_class_for_all_is_that_of_the_normal_images_too(label):
    model = sharper(tiny("gated-pixelcnn", (1, 4, 4), 17, condition=nx.Labels(3), default_condition=False))
    images, normal = noise(model, 6), noise(model, 30)
    found = nx.score(model, images, label, normal=normal, by="nats")
    scorer = calibrated(Scorer(model), normal, torch.tensor(1), by="nats")
    assert np.array_equal(found["p_value"], scorer.calibration.p_values(found["nats"]))
    with pytest.raises(InputError, match="or of neither"):
        nx.score(model, images, torch.zeros(6, dtype=torch.int64), normal=normal)
    attached = open_images(normal[:, 0].numpy(), levels=17).with_condition(torch.zeros(30, dtype=torch.int64))
    assert len(nx.score(model, images, torch.zeros(6, dtype=torch.int64), normal=attached)) == 6
    with pytest.raises(InputError, match="or of neither"):
        nx.score(model, images, normal=attached)


def test_typicality_gives_no_more_false_alarms_than_promised(monkeypatch):
    random = np.random.default_rng(0)
    monkeypatch.setattr(
        "nextpixel.scoring.anomaly.score_batches", lambda *_, **__: iter([{"nats": random.normal(size=38)}])
    )
    alarms = []
    for _ in range(2000):
        scorer = calibrated(Scorer(tiny_model), noise(tiny_model, 1), by="typicality")
        new = np.abs(random.normal(size=20) - scorer.typical)
        alarms.append((scorer.calibration.p_values(new) <= 0.05).mean())
    assert 0.044 < np.mean(alarms) < 0.056


def test_memory_does_not_grow_with_the_set():
    """Batches come one by one, so that a table can be written while it is made."""
    model = tiny("gated-pixelcnn")
    batches = score_batches(Scorer(model), noise(model, 600))
    assert len(next(batches)["nats"]) < 600

"""PixelSNAIL: the faults that its attention is commonly given, and the memory that its steps take."""

import pytest
import torch
import torch.nn.functional as F

import nextpixel as nx
from helpers.tiny_models import noise, sharper, sites, tiny
from nextpixel.families.pixelsnail import psutil


def test_keys_that_do_not_move_on_let_a_pixel_see_itself(monkeypatch):
    monkeypatch.setattr("nextpixel.nn.causal_attention.after_a_start", lambda sequence: sequence)
    report = nx.check_causality(tiny("pixelsnail", (1, 3, 4), 3))
    assert set(report.leaks) == {(site, site) for site in sites((1, 3, 4))} and not report.ok


def test_a_first_pixel_that_is_masked_by_a_large_number_sees_everything(monkeypatch):
    """The softmax of a row of equal numbers, however negative, is the mean of all values, all of them to come."""

    def masked(queries, keys, values, *, is_causal, scale):
        assert is_causal
        count = queries.shape[2]
        before = torch.ones(count, count, dtype=torch.bool).tril(-1)
        # What `after_a_start` moved on is moved back; the last pixel is never seen.
        keys, values = (F.pad(each, (0, 0, -1, 1)) for each in (keys, values))
        scores = (queries @ keys.transpose(2, 3) * scale).masked_fill(~before, -1e10)
        return scores.softmax(dim=3) @ values

    monkeypatch.setattr(F, "scaled_dot_product_attention", masked)
    report = nx.check_causality(tiny("pixelsnail", (1, 3, 4), 3))
    where = sites((1, 3, 4))
    # By way of the features of the first pixel all that follow see what it sees.
    assert {((0, 0, 0), site) for site in where[:-1]} <= set(report.leaks) and not report.ok


def test_one_block_sees_the_whole_past():
    for shape in [(1, 7, 9), (3, 3, 5)]:
        report = nx.check_causality(tiny("pixelsnail", shape, 4, layers=1))
        assert report.ok and report.seen == report.promised == 1, str(report)


def test_colours_of_a_pixel_depend_on_each_other_with_a_softmax():
    model = sharper(tiny("pixelsnail", (3, 1, 1), 4)).double().eval()
    red, other = torch.zeros(1, 3, 1, 1, dtype=torch.uint8), torch.zeros(1, 3, 1, 1, dtype=torch.uint8)
    other[:, 0] = 3
    moved = (model.logits(red) != model.logits(other)).any(dim=1).flatten().tolist()
    assert moved == [False, True, True]


def test_keys_and_values_that_do_not_fit_are_refused_before_they_are_made(monkeypatch):
    model = tiny("pixelsnail", (1, 3, 4), 3)

    class Memory:
        available = 4 * model.floats_kept * 2

    monkeypatch.setattr(psutil, "virtual_memory", Memory)
    assert model.sample(2).shape == (2, 1, 3, 4)
    with pytest.raises(
        nx.InputError, match=r"the keys and values of 3 images of 1 x 3 x 4 take .* GB are free; .*--count"
    ):
        model.sample(3)


def test_no_more_images_are_drawn_at_once_than_their_keys_and_values_allow(monkeypatch):
    model = tiny("pixelsnail", (1, 3, 4), 3)
    stepper = model._stepper(1, None, 4)
    kept = sum(attention.keys.numel() + attention.values.numel() for _, attention in stepper.blocks)
    assert model.floats_kept == kept
    monkeypatch.setattr("nextpixel.families.pixelsnail.FLOATS_AT_ONCE", 10 * kept)
    assert model.images_at_once == 10
    images = model.eval().sample(25, generator=torch.Generator().manual_seed(0))
    assert torch.equal(model.sample(7, generator=torch.Generator().manual_seed(0)), images[:7])


def test_any_number_of_heads_suits_any_number_of_features():
    for features, heads in [(5, 2), (3, 4), (8, 3)]:
        model = tiny("pixelsnail", (1, 2, 3), 3, features=features, heads=heads).eval()
        assert model.log_prob(noise(model, 2)).isfinite().all()

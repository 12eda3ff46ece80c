"""What comes of .npx files that are sent to the page."""

import base64
import io

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

import nextpixel as nx
from data.test_open_fuzz import damage
from helpers.fuzzing import fuzzed
from helpers.tiny_models import noise, sharper, tiny
from helpers.web_answers import events_of
from nextpixel.codec.codec import Original
from nextpixel.web import restoring

KIND = {"content-type": "application/octet-stream"}


def sent(client, data):
    answer = client.post("/api/restore", content=data, headers=KIND)
    events = events_of(answer)
    assert all(event.get("status") != 500 for event in events)
    return [event for event in events if event["kind"] != "progress"]


def pixels(event):
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(event["data"]))))


def test_pictures_come_back_by_the_model_that_made_them(client, album, models):
    images, data = album
    events = sent(client, data)
    assert [event["name"] for event in events] == ["a.png", "sub/b.png"]
    for event, image in zip(events, images, strict=True):
        assert event["file"] is None and event["shape"] == [1, 6, 5]
        assert np.array_equal(pixels(event), np.round(image[0].numpy() * 255.0 / 7))
    photo = torch.randint(0, 256, (3, 9, 14), dtype=torch.uint8)
    (event,) = sent(client, nx.compress(models["local"], photo, effort=1))
    assert np.array_equal(pixels(event), photo.numpy().transpose(1, 2, 0))


def test_models_that_come_along_with_nextpixel_need_not_be_served(client):
    image = torch.randint(0, 17, (1, 8, 8), dtype=torch.uint8)
    (event,) = sent(client, nx.compress(nx.load("nextpixel/digits-gated"), image))
    assert pixels(event).shape == (8, 8)


def test_a_kept_file_comes_back_to_the_byte(client, models):
    file = io.BytesIO()
    noisy = np.random.default_rng(0).integers(0, 256, (32, 48, 3), np.uint8)
    Image.fromarray(noisy).save(file, "JPEG", quality=30)
    photo = torch.from_numpy(np.asarray(Image.open(file)).transpose(2, 0, 1).copy())
    original = Original("photo.jpg", file.getvalue())
    (event,) = sent(client, nx.compress(models["local"], [photo], names=["photo"], originals=[original], effort=1))
    assert np.array_equal(pixels(event), photo.numpy().transpose(1, 2, 0))
    assert event["name"] == "photo.jpg" and base64.b64decode(event["file"]) == original.data


def test_files_of_other_models_are_refused_and_none_is_loaded_from_a_file(client):
    other = sharper(tiny("gated-pixelcnn", (1, 6, 5), 8, layers=1)).eval()
    data = nx.compress(other, noise(other, 1)[0], embed={"config.json": b"{}", "model.safetensors": b"no"})
    (event,) = sent(client, data)
    assert event["status"] == 422 and "loads none from a file; use nextpixel decompress" in event["error"]


@pytest.mark.parametrize(
    ("limit", "value", "said"),
    [
        ("MOST_PICTURES", 1, "has 2 pictures, the page restores 1"),
        ("MOST_RESTORED_SUB_PIXELS", 1000, "larger than those that the page restores"),
        ("MOST_SECONDS", -1, "too long for the page"),
    ],
)
def test_more_than_the_page_restores_is_refused(client, album, monkeypatch, limit, value, said):
    monkeypatch.setattr(restoring, limit, value)
    (event,) = sent(client, album[1])
    assert said in event["error"] and "use nextpixel decompress" in event["error"]


def test_what_is_too_large_is_refused_before_it_is_decoded(client):
    answer = client.post("/api/restore", content=b"x" * (9 * 2**20), headers=KIND)
    assert answer.status_code == 413
    assert client.post("/api/restore", content=b"x", headers={"content-type": "application/json"}).status_code == 415


@fuzzed(30)
@given(chance=st.randoms(use_true_random=False))
def test_no_file_is_a_fault_of_ours(client, album, chance):
    events = sent(client, damage(album[1], chance))
    assert all("error" in event or event["kind"] == "picture" for event in events)

"""What the server answers, without a browser."""

import base64
import io
import json
import math
import threading
import time

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from starlette.testclient import TestClient

import nextpixel as nx
from data.test_open_fuzz import damage
from helpers.fuzzing import fuzzed
from helpers.tiny_models import noise
from nextpixel.web import app as app_module
from nextpixel.web.app import make_app
from nextpixel.web.jobs import Jobs
from nextpixel.web.served import Served


def text(values):
    return base64.b64encode(values.numpy().astype(np.uint8).tobytes()).decode()


def values(text, shape):
    return torch.from_numpy(np.frombuffer(base64.b64decode(text), np.uint8).reshape(shape).copy())


def lines(answer):
    assert answer.status_code == 200, answer.text
    return [json.loads(line) for line in answer.text.splitlines()]


def png(array):
    buffer = io.BytesIO()
    Image.fromarray(array).save(buffer, "PNG")
    return buffer.getvalue()


@pytest.mark.parametrize("path", ["/", "/style.css", "/page.js", "/editor.js"])
def test_the_page_and_its_files_ask_nothing_of_others(client, path):
    answer = client.get(path)
    assert answer.status_code == 200
    assert "http://" not in answer.text and "https://" not in answer.text
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert answer.headers["x-content-type-options"] == "nosniff"


def test_models_are_described_without_their_paths(client, models):
    found = client.get("/api/models").json()
    assert [each["name"] for each in found["models"]] == list(models) and len(found["colours"]) == 256
    first, kinds = found["models"][0], found["models"][2]
    assert first["shape"] == [1, 6, 5] and first["levels"] == 8 and len(first["shown"]) == 8
    assert kinds["labels"] == ["cat", "dog", "owl"] and first["labels"] is None
    assert [each["draws"] for each in found["models"]] == [True, True, True, False, True, True, False]
    assert [each["compresses"] for each in found["models"]] == [True, True, True, False, True, True, False]
    assert [each["name"] for each in found["models"] if each["reconstructs"]] == ["codes"]


@pytest.mark.parametrize("name", ["plain", "colour", "row"])
def test_images_are_drawn_as_sample_draws_them(client, models, name):
    events = lines(client.post("/api/sample", json={"model": name, "count": 5, "seed": 3}))
    shape = (5, *models[name].image_shape)
    last = events[-1]
    expected = models[name].sample(5, generator=torch.Generator().manual_seed(3))
    assert last["done"] == 1 and torch.equal(values(last["pixels"], shape), expected)


def test_classes_are_drawn(client, models):
    model, shape = models["kinds"], (4, 1, 6, 5)
    for asked, numbers in (
        ({"label": "dog"}, [1] * 4),
        ({"label": "2"}, [2] * 4),
        ({"every_class": True}, [0, 1, 2, 0]),
    ):
        events = lines(client.post("/api/sample", json={"model": "kinds", "count": 4, **asked}))
        expected = model.sample(4, torch.tensor(numbers), generator=torch.Generator().manual_seed(0))
        assert torch.equal(values(events[-1]["pixels"], shape), expected)
    for label, said in ((None, "choose a class of the image"), ("cow", "no class 'cow'")):
        (event,) = lines(client.post("/api/sample", json={"model": "kinds", "label": label}))
        assert event["kind"] == "error" and said in event["error"]


def test_unknown_pixels_are_completed(client, models):
    model = models["plain"]
    image = noise(model, 1)[0]
    known = torch.rand(6, 5, generator=torch.Generator().manual_seed(0)) < 0.6
    body = {"model": "plain", "count": 3, "pixels": text(image), "known": text(known), "seed": 5}
    events = lines(client.post("/api/complete", json=body))
    found = values(events[-1]["pixels"], (3, 1, 6, 5))
    expected = model.complete(image.expand(3, -1, -1, -1), known, generator=torch.Generator().manual_seed(5))
    assert torch.equal(found, expected) and events[0]["kind"] == "note"
    assert (found[:, 0] == image[0])[:, known].all()
    several = lines(client.post("/api/complete", json=body | {"candidates": 4}))
    assert [event["kind"] for event in several] == ["images"] * len(several)


def test_the_bits_of_an_image(client, models):
    for name in ("plain", "colour"):
        image = noise(models[name], 1)
        found = client.post("/api/bits", json={"model": name, "pixels": text(image)}).json()
        table = nx.score(models[name], image)[0]
        assert found["nats"] == pytest.approx(table["nats"]) and found["complexity"] == pytest.approx(
            table["complexity"]
        )
        bits = np.frombuffer(base64.b64decode(found["map"]), "<f4")
        assert len(bits) == math.prod(models[name].image_shape[1:])
        assert bits.sum() == pytest.approx(found["nats"] / math.log(2), rel=1e-4)
        assert 0 <= found["share_below"] <= 1
    image = noise(models["kinds"], 1)
    found = client.post("/api/bits", json={"model": "kinds", "pixels": text(image)}).json()
    assert sum(share for _, share in found["classes"]) == pytest.approx(1)
    assert found["share_below"] is None and "typicality" not in found


def test_what_is_expected_at_a_pixel(client, models):
    for name, more in (("colour", {}), ("kinds", {"label": "owl"})):
        model = models[name]
        image = noise(model, 1)
        body = {"model": name, "pixels": text(image), "row": 2, "column": 3, **more}
        found = client.post("/api/pixel", json=body).json()
        with torch.no_grad():
            logits = model.logits(image, torch.tensor(2) if more else None)[0, :, :, 2, 3]
        np.testing.assert_allclose(found["distributions"], logits.softmax(dim=0).T, rtol=1e-4, atol=1e-6)
        assert found["values"] == image[0, :, 2, 3].tolist()


def test_sizes_beside_other_formats(client, models):
    image = noise(models["plain"], 1)
    found = client.post("/api/compress", json={"model": "plain", "pixels": text(image)}).json()
    assert found["sizes"]["nextpixel"] == len(nx.compress(models["plain"], image[0]))
    assert {"PNG", "WebP"} <= set(found["sizes"])
    answer = client.post("/api/compress", json={"model": "codes", "pixels": text(noise(models["codes"], 1))})
    assert answer.status_code == 422 and "cannot compress" in answer.json()["error"]


def test_pictures_are_uploaded_without_loss_or_as_asked(client):
    def upload(data, name="plain", fit=0):
        query = {"model": name, "fit": fit}
        return client.post(
            "/api/upload", params=query, content=data, headers={"content-type": "application/octet-stream"}
        )

    own = np.arange(30, dtype=np.uint8).reshape(6, 5) * 8
    found = upload(png(own)).json()
    assert torch.equal(values(found["pixels"], (6, 5)), torch.from_numpy(own // 32))
    lying = io.BytesIO()
    orientation = Image.Exif()
    orientation[0x0112] = 6
    Image.fromarray(own.T).save(lying, "PNG", exif=orientation)
    assert any("upright" in note for note in upload(lying.getvalue()).json()["notes"])
    large = np.random.default_rng(0).integers(0, 256, (40, 50, 4)).astype(np.uint8)
    refused = upload(png(large))
    assert refused.status_code == 422 and "the model takes 1 x 6 x 5" in refused.json()["error"]
    fitted = upload(png(large), fit=1).json()
    assert len(base64.b64decode(fitted["pixels"])) == 30 and any("cropped" in note for note in fitted["notes"])
    assert len(base64.b64decode(upload(png(own), "colour", 1).json()["pixels"])) == 48
    for data in (b"", b"no picture", png(own)[:50]):
        answer = upload(data)
        assert answer.status_code == 422 and "the picture" in answer.json()["error"]


@pytest.mark.parametrize(
    ("path", "body", "said"),
    [
        ("sample", {"model": "nobody"}, "no model of this name; there are plain"),
        ("sample", {}, "no model of this name"),
        ("sample", {"model": "plain", "count": 65}, "count must be a whole number from 1 to 64"),
        ("sample", {"model": "plain", "count": True}, "count must be"),
        ("sample", {"model": "plain", "temperature": "hot"}, "temperature must be a number from 0 to 10"),
        ("sample", {"model": "plain", "temperature": math.inf}, "temperature must be"),
        ("sample", {"model": "plain", "seed": -1}, "seed must be"),
        ("sample", {"model": "plain", "label": "cat"}, "knows no classes"),
        ("sample", {"model": "vectors"}, "use the commands"),
        ("bits", {"model": "plain", "pixels": "????"}, "pixels must be 1 x 6 x 5 bytes in base64"),
        ("bits", {"model": "plain", "pixels": text(torch.full((30,), 8))}, "values from 0 to 7"),
        ("pixel", {"model": "plain", "pixels": text(torch.zeros(30)), "row": 6, "column": 0}, "row must be"),
        ("complete", {"model": "plain", "pixels": text(torch.zeros(30))}, "known must be 6 x 5 bytes"),
    ],
)
def test_what_is_wrong_is_said_in_a_sentence(client, path, body, said):
    answer = client.post(f"/api/{path}", content=json.dumps(body), headers={"content-type": "application/json"})
    if answer.status_code == 200:
        (event,) = lines(answer)
        assert event["kind"] == "error"
    else:
        assert answer.status_code == 422
        event = answer.json()
    assert said in event["error"]


def test_other_requests_are_refused(client):
    assert client.get("/api/sample").status_code == 405
    assert client.get("/etc/passwd").status_code == 404
    assert client.get("/../../pyproject.toml").status_code == 404
    assert client.post("/api/sample", content=b"{}", headers={"content-type": "text/plain"}).status_code == 415
    for body in (b"", b"[]", b"\xff", b"[" * 10**5, b'{"model": ' + b"9" * 5000 + b"}"):
        answer = client.post("/api/sample", content=body, headers={"content-type": "application/json"})
        assert answer.status_code == 422 and answer.json()["error"]
    large = client.post("/api/bits", content=b"x" * (9 * 2**20), headers={"content-type": "application/json"})
    assert large.status_code == 413 and "choose a smaller picture" in large.json()["error"]


def test_the_token_is_needed_for_models_and_not_for_the_page(served):
    client = TestClient(make_app(served, token="s3cr3ts3cr3t"))
    assert client.get("/").status_code == 200
    for headers in ({}, {"authorization": "Bearer no"}, {"authorization": "s3cr3ts3cr3t"}):
        assert client.get("/api/models", headers=headers).status_code == 401
        assert client.post("/api/sample", json={"model": "plain"}, headers=headers).status_code == 401
    assert client.get("/api/models", headers={"authorization": "Bearer s3cr3ts3cr3t"}).status_code == 200


def test_other_names_of_this_machine_are_not_answered(served):
    """A page elsewhere could call the server by a name of its own that leads here (DNS rebinding)."""
    client = TestClient(make_app(served, hosts=["127.0.0.1", "localhost", "[::1]"]))
    for host, status in (
        ("localhost", 200),
        ("localhost:8000", 200),
        ("127.0.0.1:1", 200),
        ("[::1]:8000", 200),
        ("evil.example", 400),
        ("localhost.evil.example:80", 400),
        ("", 400),
    ):
        assert client.get("/", headers={"host": host}).status_code == status, host


def test_a_full_queue_says_so_and_the_page_still_answers(models, monkeypatch):
    monkeypatch.setattr(app_module, "MOST_JOBS", 2)
    go_on = threading.Event()

    class Slow(Served):
        def bits(self, _, job):
            go_on.wait(20)
            job.tell({"kind": "bits"})

    served = Slow("plain", models["plain"])
    monkeypatch.setattr(Served, "bits", Slow.bits)
    with TestClient(make_app([served])) as client:
        answers = []
        body = {"model": "plain", "pixels": text(torch.zeros(30))}
        threads = [
            threading.Thread(target=lambda: answers.append(client.post("/api/bits", json=body).status_code))
            for _ in range(5)
        ]
        for thread in threads:
            thread.start()
        deadline = time.monotonic() + 10
        while len(answers) < 3 and time.monotonic() < deadline:
            time.sleep(0.01)
        assert answers == [503] * 3
        assert client.get("/").status_code == 200
        go_on.set()
        for thread in threads:
            thread.join()
        assert sorted(answers) == [200, 200, 503, 503, 503]
        assert client.post("/api/bits", json=body).status_code == 200


def test_work_is_given_up_when_nobody_waits():
    import asyncio

    steps = []

    async def leave_early():
        jobs = Jobs(2)

        def work(job):
            for step in range(10_000):
                job.frame(lambda step=step: {"kind": "images", "step": step})
                steps.append(step)
                time.sleep(0.002)

        job = jobs.start(work)
        stream = job.events()
        await anext(stream)
        await stream.aclose()
        while jobs.count:
            await asyncio.sleep(0.01)
        return jobs

    asyncio.run(leave_early())
    assert 0 < len(steps) < 1000


def test_faults_of_ours_tell_nothing_of_the_inside(models, monkeypatch, caplog):
    def broken(*_):
        raise RuntimeError("secret /home/somebody")

    monkeypatch.setattr(Served, "bits", broken)
    client = TestClient(make_app([Served("plain", models["plain"])]))
    answer = client.post("/api/bits", json={"model": "plain"})
    assert answer.status_code == 500 and "secret" not in answer.text and "Traceback" not in answer.text
    assert "secret" in caplog.text


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.just("plain") | st.just("AAAA"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
names = ["model", "count", "label", "temperature", "top_p", "seed", "pixels", "known", "candidates", "row", "column"]


@fuzzed(100)
@given(
    path=st.sampled_from(["sample", "complete", "bits", "pixel", "compress", "upload"]),
    model=st.sampled_from(["plain", "kinds", "vectors", "row"]),
    body=st.dictionaries(st.sampled_from(names), json_values, max_size=5),
    good=st.booleans(),
)
def test_no_request_is_a_fault_of_ours(client, path, model, body, good):
    if good:
        body = {
            "model": model,
            "pixels": text(torch.ones(30)),
            "known": text(torch.ones(30)),
            "row": 1,
            "column": 1,
        } | body
    answer = client.post(f"/api/{path}", content=json.dumps(body), headers={"content-type": "application/json"})
    assert answer.status_code in (200, 415, 422)
    if answer.headers["content-type"].startswith("application/x-ndjson"):
        assert all(event.get("status") != 500 for event in lines(answer))


@fuzzed(40)
@given(chance=st.randoms(use_true_random=False), model=st.sampled_from(["plain", "colour"]), fit=st.integers(0, 1))
def test_no_upload_is_a_fault_of_ours(client, chance, model, fit):
    picture = png(np.arange(30, dtype=np.uint8).reshape(6, 5))
    query, kind = {"model": model, "fit": fit}, {"content-type": "application/octet-stream"}
    answer = client.post("/api/upload", params=query, content=damage(picture, chance), headers=kind)
    assert answer.status_code in (200, 422) and (answer.status_code == 200 or "the picture" in answer.json()["error"])

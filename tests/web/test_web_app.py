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
from helpers.image_makers import encode
from helpers.tiny_models import noise
from helpers.web_answers import events_of
from nextpixel.dependence import dependence_of
from nextpixel.verify import Site
from nextpixel.web import app as app_module
from nextpixel.web import jobs as jobs_module
from nextpixel.web import served as served_module
from nextpixel.web.app import make_app
from nextpixel.web.jobs import Jobs
from nextpixel.web.served import Served

OCTETS = {"content-type": "application/octet-stream"}


def text(values):
    return base64.b64encode(values.numpy().astype(np.uint8).tobytes()).decode()


def values(text, shape):
    return torch.from_numpy(np.frombuffer(base64.b64decode(text), np.uint8).reshape(shape).copy())


@pytest.mark.parametrize("path", app_module.FILES)
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
    assert [each["draws"] for each in found["models"]] == [True, True, True, False, True, True, True, False]
    assert [each["compresses"] for each in found["models"]] == [True, True, True, False, True, True, True, False]
    assert [each["name"] for each in found["models"] if each["any_size"]] == ["local"]
    assert [each["name"] for each in found["models"] if each["reconstructs"]] == ["codes"]


@pytest.mark.parametrize("name", ["plain", "colour", "row"])
def test_images_are_drawn_as_sample_draws_them(client, models, name):
    events = events_of(client.post("/api/sample", json={"model": name, "count": 5, "seed": 3}))
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
        events = events_of(client.post("/api/sample", json={"model": "kinds", "count": 4, **asked}))
        expected = model.sample(4, torch.tensor(numbers), generator=torch.Generator().manual_seed(0))
        assert torch.equal(values(events[-1]["pixels"], shape), expected)
    for label, said in ((None, "choose a class of the image"), ("cow", "no class 'cow'")):
        (event,) = events_of(client.post("/api/sample", json={"model": "kinds", "label": label}))
        assert event["kind"] == "error" and said in event["error"]


def test_unknown_pixels_are_completed(client, models):
    model = models["plain"]
    image = noise(model, 1)[0]
    known = torch.rand(6, 5, generator=torch.Generator().manual_seed(0)) < 0.6
    body = {"model": "plain", "count": 3, "pixels": text(image), "known": text(known), "seed": 5}
    events = events_of(client.post("/api/complete", json=body))
    found = values(events[-1]["pixels"], (3, 1, 6, 5))
    expected = model.complete(image.expand(3, -1, -1, -1), known, generator=torch.Generator().manual_seed(5))
    assert torch.equal(found, expected) and events[0]["kind"] == "note"
    assert (found[:, 0] == image[0])[:, known].all()
    several = events_of(client.post("/api/complete", json=body | {"candidates": 4}))
    assert [event["kind"] for event in several] == ["images"] * len(several)


def test_an_example_is_a_draw_of_the_model(client, models):
    for name, model in models.items():
        found = client.post("/api/example", json={"model": name}).json()
        image = values(found["pixels"], model.image_shape)
        assert found["shape"] == list(model.image_shape) and (found["label"] == 0) == (name == "kinds")
        if model.condition is None:
            assert torch.equal(image, model.sample(1, generator=torch.Generator().manual_seed(0))[0])


def test_images_are_saved_as_png(client, models):
    image = noise(models["plain"], 1)
    found = client.post("/api/picture", json={"model": "plain", "count": 1, "pixels": text(image)}).json()
    picture = np.asarray(Image.open(io.BytesIO(base64.b64decode(found["data"]))))
    assert np.array_equal(picture, np.round(image[0, 0].numpy() * 255.0 / 7))
    body = {"model": "plain", "count": 4, "pixels": text(image.expand(4, -1, -1, -1))}
    several = client.post("/api/picture", json=body).json()
    assert Image.open(io.BytesIO(base64.b64decode(several["data"]))).width > 2 * 5


def test_what_a_pixel_depends_on(client, models):
    events = events_of(client.post("/api/explain", json={"model": "colour", "row": 1, "column": 2, "channel": 0}))
    expected = dependence_of(models["colour"], Site(0, 1, 2))
    assert events[-1]["sentences"] == expected.sentences and events[-1]["done"] == 1
    assert torch.equal(values(events[-1]["kinds"], (4, 4)), expected.kinds.byte())
    assert all(event["done"] < 1 and "sentences" not in event for event in events[:-1])
    order = client.post("/api/order", json={"model": "plain"}).json()["order"]
    assert order == list(range(30))


def test_images_with_too_many_pairs_of_pixels_are_not_explained(client, monkeypatch):
    monkeypatch.setattr(served_module, "MOST_EXPLAINED", 29)
    (event,) = events_of(client.post("/api/explain", json={"model": "plain", "row": 0, "column": 0}))
    assert "use nextpixel explain" in event["error"]


def test_a_local_model_takes_any_size(client, models):
    model = models["local"]
    image = torch.randint(0, 256, (1, 3, 11, 19), dtype=torch.uint8)
    body = {"model": "local", "height": 11, "width": 19, "pixels": text(image)}
    found = client.post("/api/bits", json=body).json()
    assert found["nats"] == pytest.approx(-float(model.log_prob(image).detach()), rel=1e-5)
    assert found["share_below"] is None and "typicality" not in found
    for row, column in ((0, 0), (10, 18), (5, 9)):
        pixel = client.post("/api/pixel", json=body | {"row": row, "column": column}).json()
        with torch.no_grad():
            logits = model.logits(image)[0, :, :, row, column]
        np.testing.assert_allclose(pixel["distributions"], logits.softmax(dim=0).T, rtol=1e-3, atol=1e-6)
    known = torch.ones(11, 19)
    known[9:] = 0
    events = events_of(client.post("/api/complete", json=body | {"known": text(known), "count": 2}))
    drawn = values(events[-1]["pixels"], (2, 3, 11, 19))
    assert torch.equal(drawn[:, :, :9], image[:, :, :9].expand(2, -1, -1, -1))
    sizes = client.post("/api/compress", json=body).json()
    assert torch.equal(nx.decompress(model, base64.b64decode(sizes["data"])), image[0])


@pytest.mark.parametrize(
    ("path", "body", "said"),
    [
        ("bits", {"height": 513, "width": 512}, "262,144 pixels at most"),
        ("bits", {"height": 4097, "width": 1}, "height must be a whole number from 1 to 4096"),
        ("complete", {"height": 512, "width": 512, "count": 16, "candidates": 64}, "more than the page draws"),
        ("picture", {"height": 512, "width": 512, "count": 64}, "more than one file holds"),
    ],
)
def test_pictures_and_what_is_asked_of_them_have_limits(client, path, body, said):
    pixels = base64.b64encode(bytes(3 * body["height"] * body["width"])).decode()
    known = base64.b64encode(bytes(body["height"] * body["width"])).decode()
    answer = client.post(f"/api/{path}", json={"model": "local", "pixels": pixels, "known": known, **body})
    event = events_of(answer)[0] if answer.status_code == 200 else answer.json()
    assert said in event["error"]


def test_larger_pictures_are_reduced_for_a_local_model(client, monkeypatch):
    monkeypatch.setattr(served_module, "MOST_PIXELS", 400)
    large = np.random.default_rng(0).integers(0, 256, (40, 90, 3), np.uint8)
    query = {"model": "local", "fit": 1}
    found = client.post("/api/upload", params=query, content=encode(large), headers=OCTETS).json()
    _, height, width = found["shape"]
    assert (
        height * width <= 400
        and abs(width / height - 90 / 40) < 0.3
        and any("resized" in note for note in found["notes"])
    )
    small = np.random.default_rng(0).integers(0, 256, (9, 30, 3), np.uint8)
    found = client.post("/api/upload", params=query | {"fit": 0}, content=encode(small), headers=OCTETS).json()
    assert torch.equal(values(found["pixels"], (3, 9, 30)), torch.from_numpy(small.transpose(2, 0, 1).copy()))
    assert found["notes"] == []


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
    assert base64.b64decode(found["data"]) == nx.compress(models["plain"], image[0])
    assert found["sizes"]["nextpixel"] == len(base64.b64decode(found["data"]))
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
    found = upload(encode(own)).json()
    assert torch.equal(values(found["pixels"], (6, 5)), torch.from_numpy(own // 32))
    lying = io.BytesIO()
    orientation = Image.Exif()
    orientation[0x0112] = 6
    Image.fromarray(own.T).save(lying, "PNG", exif=orientation)
    assert any("upright" in note for note in upload(lying.getvalue()).json()["notes"])
    large = np.random.default_rng(0).integers(0, 256, (40, 50, 4)).astype(np.uint8)
    refused = upload(encode(large))
    assert refused.status_code == 422 and "the model takes 1 x 6 x 5" in refused.json()["error"]
    fitted = upload(encode(large), fit=1).json()
    assert len(base64.b64decode(fitted["pixels"])) == 30 and any("cropped" in note for note in fitted["notes"])
    assert len(base64.b64decode(upload(encode(own), "colour", 1).json()["pixels"])) == 48
    for data in (b"", b"no picture", encode(own)[:50]):
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
        (event,) = events_of(answer)
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
    assert large.status_code == 413 and "choose a smaller file" in large.json()["error"]


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


def test_an_answer_that_nobody_waits_for_any_more_is_given_up(models, monkeypatch):
    import asyncio

    begun, gone = threading.Event(), threading.Event()

    def bits(_, __, job):
        begun.set()
        try:
            while True:
                job.check()
                time.sleep(0.001)
        finally:
            gone.set()

    monkeypatch.setattr(Served, "bits", bits)
    app = make_app([Served("plain", models["plain"])])
    headers = [(b"content-type", b"application/json"), (b"host", b"localhost")]
    scope = {"type": "http", "method": "POST", "path": "/api/bits", "query_string": b"", "headers": headers}

    async def ask():
        parts = [{"type": "http.request", "body": b'{"model": "plain"}', "more_body": False}]

        async def receive():
            if parts:
                return parts.pop()
            await asyncio.to_thread(begun.wait, 20)
            return {"type": "http.disconnect"}

        async def send(_):
            pass

        await asyncio.wait_for(app(scope, receive, send), 20)

    asyncio.run(ask())
    assert gone.is_set()


def test_who_leaves_the_queue_makes_room():
    import asyncio

    async def leave():
        jobs, go_on = Jobs(2), threading.Event()
        first = jobs.start(lambda _: go_on.wait(20))
        waiting = jobs.start(lambda _: pytest.fail("nobody waits for it"))
        waiting.give_up()
        assert jobs.count == 1
        assert [event async for event in waiting.events()] == []
        go_on.set()
        assert [event async for event in first.events()] == []
        assert jobs.count == 0

    asyncio.run(leave())


def test_the_first_example_is_drawn_beforehand(models):
    served = Served("plain", models["plain"])
    with TestClient(make_app([served], prepare=True)) as client:
        body = client.post("/api/example", json={"model": "plain"}).json()
    assert body["pixels"] == served._example["pixels"]


def test_preparing_ends_after_a_while_and_harms_nothing(models, monkeypatch, caplog):
    monkeypatch.setattr(jobs_module, "SECONDS_OF_PREPARING", -1)
    served = Served("plain", models["plain"])
    with TestClient(make_app([served], prepare=True)) as client:
        assert "error" in client.post("/api/sample", json={"model": "plain", "count": 0}).text
        assert served._example is None and not caplog.records
        assert client.post("/api/example", json={"model": "plain"}).status_code == 200


def test_work_ends_after_a_while(client, monkeypatch):
    monkeypatch.setattr(jobs_module, "MOST_SECONDS", -1)
    (event,) = events_of(client.post("/api/sample", json={"model": "plain", "count": 1}))
    assert event["status"] == 422 and "ask for less, or use the commands" in event["error"]


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
PATHS = [
    "sample",
    "complete",
    "bits",
    "pixel",
    "compress",
    "picture",
    "example",
    "order",
    "explain",
    "upload",
    "restore",
]
names = [
    "height",
    "width",
    "channel",
    "model",
    "count",
    "label",
    "temperature",
    "top_p",
    "seed",
    "pixels",
    "known",
    "candidates",
    "row",
    "column",
]


@fuzzed(100)
@given(
    path=st.sampled_from(PATHS),
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
        assert all(event.get("status") != 500 for event in events_of(answer))


@fuzzed(40)
@given(chance=st.randoms(use_true_random=False), model=st.sampled_from(["plain", "colour"]), fit=st.integers(0, 1))
def test_no_upload_is_a_fault_of_ours(client, chance, model, fit):
    picture = encode(np.arange(30, dtype=np.uint8).reshape(6, 5))
    query, kind = {"model": model, "fit": fit}, {"content-type": "application/octet-stream"}
    answer = client.post("/api/upload", params=query, content=damage(picture, chance), headers=kind)
    assert answer.status_code in (200, 422) and (answer.status_code == 200 or "the picture" in answer.json()["error"])

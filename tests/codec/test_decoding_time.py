"""How long decoding takes is told before it begins."""

import time

import pytest
import torch

import nextpixel as nx
from helpers.golden import GOLDEN, model_of
from helpers.tiny_models import tiny
from nextpixel.cli import decompress as command
from nextpixel.cli.app import run
from nextpixel.codec.container import read
from nextpixel.codec.decoding_time import decoding_seconds
from nextpixel.engines import exact
from nextpixel.model_files.stored import stored_model


@pytest.fixture(params=["gated-rgb-3", "row-lstm-rgb-3", "local-grey-4", "local-rgb-5"])
def golden(request):
    """A model and a file that it made."""
    folder = GOLDEN / model_of(request.param)
    return folder, nx.load(folder), (GOLDEN / f"{request.param}.npx").read_bytes()


def test_the_estimate_is_near_what_it_takes(golden):
    _, model, data = golden
    nx.decompress(model, data)
    started = time.perf_counter()
    nx.decompress(model, data)
    taken = time.perf_counter() - started
    assert taken / 20 < decoding_seconds(stored_model(model), read(data)) < 20 * taken


def test_fewer_lanes_take_longer_where_nothing_is_compiled(monkeypatch):
    monkeypatch.setattr(exact, "kernel", lambda: None)
    model = tiny("gated-pixelcnn", (3, 16, 16), 256, default_condition=False).eval()
    images = torch.randint(256, (8, 3, 16, 16), dtype=torch.uint8)
    one, eight = (
        decoding_seconds(stored_model(model), read(nx.compress(model, images, lanes=lanes))) for lanes in (1, 8)
    )
    assert one > 1.3 * eight


def test_it_is_told_beforehand(golden, tmp_path, capsys, monkeypatch):
    folder, _, data = golden
    (tmp_path / "a.npx").write_bytes(data)
    names = [str(folder), str(tmp_path / "a.npx")]
    monkeypatch.setattr(command, "LEAST_MEASURED", 0)
    assert run(["decompress", *names, "--list"]) == 0
    assert "decompressing takes about 1 second on this machine" in capsys.readouterr().out
    assert run(["decompress", str(tmp_path / "a.npx"), "--list"]) == 0
    assert "cannot be told (it has no model in it" in capsys.readouterr().out
    monkeypatch.setattr(command, "WORTH_TELLING", 0.0)
    assert run(["decompress", *names, "--out", str(tmp_path / "out")]) == 0
    assert "decompressing takes about 1 second on this machine" in capsys.readouterr().err

"""`nextpixel serve` as a user starts it."""

import json
import re
import signal
import socket
import subprocess
import sys
import urllib.request

import pytest

from helpers.tiny_models import tiny
from nextpixel.cli.app import run
from nextpixel.cli.serve import SHOWN


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "mine"
    tiny("gated-pixelcnn").save(folder)
    return folder


def test_it_serves_until_it_is_stopped(folder):
    words = [sys.executable, "-m", "nextpixel", "serve", str(folder), str(folder), "--port", "0", "--token", "abcd1234"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            said = process.stdout.readline()
            address = re.search(r"(http://127\.0\.0\.1:\d+/)#token=abcd1234", said)[1]
            assert said.startswith("mine, mine (2): ")
            request = urllib.request.Request(f"{address}api/models", headers={"authorization": "Bearer abcd1234"})
            with urllib.request.urlopen(request, timeout=120) as answer:
                found = json.load(answer)
            assert [each["name"] for each in found["models"]] == ["mine", "mine (2)"]
            assert str(folder) not in json.dumps(found)
            process.send_signal(signal.SIGINT)
            # What is being compiled for the first example is compiled to its end.
            assert process.wait(120) == 130
            assert "Traceback" not in process.stderr.read()
        finally:
            process.kill()


def test_without_a_run_it_serves_models_that_come_along(monkeypatch):
    made = []

    def stop(models, **_):
        made.extend(models)
        raise KeyboardInterrupt

    monkeypatch.setattr("nextpixel.web.app.make_app", stop)
    assert run(["serve", "--port", "0"]) == 130
    assert [served.name for served in made] == [name.removeprefix("nextpixel/") for name in SHOWN]
    assert all(served.description["draws"] for served in made)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["nowhere"], "nowhere is not a model folder"),
        (["RUN", "--host", "0.0.0.0"], "--host 0.0.0.0 lets other machines in: add a --token"),
        (["RUN", "--token", "short"], "--token must have at least 8"),
        (["RUN", "--port", "70000"], "--port must be from 0 to 65535"),
    ],
)
def test_what_cannot_be_served_is_refused(folder, capsys, words, said):
    assert run(["serve", *(str(folder) if word == "RUN" else word for word in words)]) == 2
    assert said in capsys.readouterr().err


def test_a_port_in_use_is_named(folder, capsys):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert run(["serve", str(folder), "--port", str(port)]) == 2
    assert f"cannot listen at 127.0.0.1 port {port}" in capsys.readouterr().err

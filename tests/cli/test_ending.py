"""SIGTERM and SIGHUP leave nothing half-written behind, and what SIGKILL leaves is removed by the next command."""

import json
import os
import signal
import subprocess
import sys

import pytest

import nextpixel as nx
from helpers.places import filled
from nextpixel.cli.app import run
from nextpixel.runtime import atomic_files
from nextpixel.training.checkpoint import read_checkpoint

pytestmark = pytest.mark.skipif(os.name == "nt", reason="Windows has no such signals")

COMMANDS = {
    "prepare": ["prepare", "{}/images.npz", "--out", "{}/results/set"],
    "compress": ["compress", "{}/model", "{}/pictures", "--out", "{}/results/p.npx"],
    "decompress": ["decompress", "{}/model", "{}/p.npx", "--out", "{}/results/pictures"],
    "export": ["export", "{}/model", "--valid", "{}/images.npz", "--out", "{}/results/exported"],
    "sample": ["sample", "{}/model", "--count", "3", "--out", "{}/results/samples"],
    "score": ["score", "{}/model", "{}/images.npz", "--out", "{}/results/scores.csv"],
}


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.setenv("NEXTPIXEL_CACHE", str(tmp_path / "cache"))
    return filled(tmp_path)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_that_is_ended_leaves_nothing(place, monkeypatch, capsys, name, number):
    """At its first fsync, when its result has a hidden name."""
    command = [word.format(place) for word in COMMANDS[name]]
    before = signal.getsignal(number)
    hidden = []

    def fsync(_):
        hidden.extend(path.name for path in (place / "results").iterdir())
        # The cache of images is elsewhere, and synced before.
        if hidden:
            signal.raise_signal(number)

    monkeypatch.setattr(atomic_files.os, "fsync", fsync)
    capsys.readouterr()
    assert run(command) == 128 + number
    assert hidden and all(part.startswith(".") for part in hidden)
    assert not list((place / "results").iterdir())
    assert capsys.readouterr().err.strip() == f"nextpixel: ended by {signal.Signals(number).name}"
    assert signal.getsignal(number) == before


def test_what_a_killed_command_left_is_removed_by_the_next(place):
    script = (
        "import os, signal\n"
        "from nextpixel.cli.app import run\n"
        "os.fsync = lambda _: os.kill(os.getpid(), signal.SIGKILL)\n"
        f"run({[word.format(place) for word in COMMANDS['compress']]!r})\n"
    )
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == -signal.SIGKILL
    assert [path.name[:7] for path in (place / "results").iterdir()] == [".p.npx."]
    assert run([word.format(place) for word in COMMANDS["compress"]]) == 0
    assert [path.name for path in (place / "results").iterdir()] == ["p.npx"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_training_writes_its_checkpoint(place, monkeypatch, number):
    from nextpixel.training.run import Run

    step = Run._step

    def ended_in_step_3(self, progress):
        if self.step == 2:
            signal.raise_signal(number)
        return step(self, progress)

    monkeypatch.setattr(Run, "_step", ended_in_step_3)
    words = "--model gated-pixelcnn --features 4 --layers 1 --steps 50 --batch-size 4 --grids 0 --warmup 1"
    assert run(["train", str(place / "images.npz"), "--out", str(place / "run"), *words.split()]) == 130
    assert read_checkpoint(place / "run" / "checkpoint.pt")["step"] == 3
    assert not list((place / "run").rglob(".*.part"))
    lines = (place / "run" / "metrics.jsonl").read_text().splitlines()
    assert all(isinstance(json.loads(line), dict) for line in lines)


@pytest.mark.parametrize(
    "words",
    [
        ["nextpixel", "sample", "nextpixel/digits-gated", "--count", "1", "--out", "{}/result"],
        ["nextpixel.decode", "{}/digits.npx", "--out", "{}/result"],
    ],
    ids=["nextpixel", "nextpixel-decode"],
)
def test_ctrl_c_while_the_engine_is_compiled_ends_the_command_at_once(tmp_path, words):
    pytest.importorskip("numba")
    model, kept = nx.load("nextpixel/digits-gated"), tmp_path / "kept"
    (tmp_path / "digits.npx").write_bytes(nx.compress(model, nx.open_images("digits")[:2]))
    process = subprocess.Popen(
        [sys.executable, "-m", *(word.format(tmp_path) for word in words)],
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"NUMBA_CACHE_DIR": str(kept)},
    )
    assert "compiling the engine" in process.stderr.readline()
    process.send_signal(signal.SIGINT)
    _, told = process.communicate(timeout=60)
    assert process.returncode == 130 and told.strip().endswith(": interrupted") and "Traceback" not in told
    assert kept.exists() and not list(kept.rglob("kernel.run-*")) and not (tmp_path / "result").exists()

"""The power fails at any moment: each result is whole or absent, and what was reported done is there."""

import shutil
import sys

import pytest

import nextpixel as nx
from helpers.places import filled
from helpers.power_loss import Disk
from helpers.tiny_models import tiny
from nextpixel.cli.app import run
from nextpixel.errors import TrainingError
from nextpixel.runtime import atomic_files
from nextpixel.training.api import train
from nextpixel.training.run_folder import RunFolder
from nextpixel.training.settings import TrainingSettings

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.setenv("NEXTPIXEL_CACHE", str(tmp_path / "cache"))
    return filled(tmp_path)


def part(tree, name):
    """What of a tree is at a name or below."""
    return {path: content for path, content in tree.items() if path == name or path.startswith(f"{name}/")}


def actual(folder, name):
    paths = [folder / name, *(folder / name).rglob("*")]
    return {str(path.relative_to(folder)): None if path.is_dir() else path.read_bytes() for path in paths}


COMMANDS = {
    "prepare": ["prepare", "{}/images.npz", "--out", "{}/results/new/set"],
    "prepare by chance": [
        "prepare", "{}/images.npz", "--out", "{}/results/set", "--binarize", "stochastic", "--shard-mb", "1",
    ],
    "compress": ["compress", "{}/model", "{}/pictures", "--out", "{}/results/deep/er/p.npx"],
    "decompress": ["decompress", "{}/model", "{}/p.npx", "--out", "{}/results/pictures"],
    "export": ["export", "{}/model", "--valid", "{}/images.npz", "--out", "{}/results/exported"],
    "sample": ["sample", "{}/model", "--count", "3", "--out", "{}/results/samples"],
    "sample a picture": ["sample", "{}/model", "--count", "3", "--out", "{}/results/samples.png"],
    "score": ["score", "{}/model", "{}/images.npz", "--out", "{}/results/scores.csv"],
}  # fmt: skip


@pytest.mark.parametrize("name", COMMANDS)
def test_commands(place, monkeypatch, name):
    command = [word.format(place) for word in COMMANDS[name]]
    out = command[command.index("--out") + 1].removeprefix(f"{place}/results/")
    with Disk(place / "results", monkeypatch) as disk:
        assert run(command) == 0
    whole = actual(place / "results", out)
    assert len(disk.cuts) > 10
    for cut in disk.cuts:
        assert part(cut, out) in ({}, whole)
    for cut in disk.after:
        assert part(cut, out) == whole


def test_training(place, monkeypatch):
    images = nx.open_images(place / "images.npz")
    settings = TrainingSettings(steps=4, batch_size=8, warmup=1, grids=1, validations=2, checkpoint_minutes=0)

    def trained(folder):
        train(
            tiny("gated-pixelcnn"),
            images.subset(range(30)),
            folder,
            images.subset(range(30, 40)),
            settings,
            resume=True,
        )
        return nx.load(folder).state_dict()

    write = RunFolder.write_checkpoint
    with Disk(place / "results", monkeypatch) as disk:

        def reporting(folder, state):
            write(folder, state)
            disk.reported = state["step"]

        monkeypatch.setattr(RunFolder, "write_checkpoint", reporting)
        last = trained(place / "results" / "run")
    monkeypatch.undo()
    checked = 0
    seen = {}
    for number, (cut, step) in enumerate(zip(disk.cuts, disk.reported_then, strict=True)):
        key = (frozenset(part(cut, "run").items()), step)
        if key in seen:
            continue
        seen[key] = number
        folder = place / "restored"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        disk.restore(cut, folder)
        run_folder = RunFolder(folder / "run")
        if step is not None:
            try:
                state, _ = run_folder.read_checkpoint()
            except TrainingError as error:
                pytest.fail(f"cut {number}: step {step} was reported, and {error}")
            assert state["step"] >= step
        if (folder / "run" / "model.safetensors").exists() and (folder / "run" / "config.json").exists():
            nx.load(folder / "run")
        checked += 1
        if checked % 15 == 0:
            again = trained(folder / "run")
            assert all(bool((again[name] == weight).all()) for name, weight in last.items())
    assert checked > 30


def test_what_is_not_synced_is_seen(tmp_path, monkeypatch):
    """The simulated disk is no better than a real one."""
    with Disk(tmp_path, monkeypatch) as disk:
        (tmp_path / "plain").write_bytes(b"content")
    assert {} in disk.after and {"plain": b""} in disk.after
    monkeypatch.setattr(atomic_files, "sync_folder", lambda _: None)
    with Disk(tmp_path, monkeypatch) as disk:
        atomic_files.write_result(tmp_path / "file", b"content")
    assert any("file" not in cut for cut in disk.after)

import os
import pickle
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from helpers.image_makers import encode, idx, noise, pngs, put
from nextpixel.data import open_images
from nextpixel.data.cache import cache_folder
from nextpixel.errors import DataError
from nextpixel.runtime.atomic_files import hidden_name

NAMES = ("train/x/a.png", "train/y/b.png", "test/x/c.png")


@pytest.fixture
def folder(tmp_path):
    return put(tmp_path / "set", {**pngs(*NAMES), "train/x/bad.png": b"damaged"})


def caches(own_cache):
    return sorted(own_cache.glob("*.pixels"))


def facts(images):
    labels = images.labels.tolist()
    return (
        images[:].tolist(),
        labels,
        images.label_names,
        images.names,
        images.splits,
        images.skipped,
        images.notes,
    )


def forbid_decoding(monkeypatch):
    def fail(*_, **__):
        raise AssertionError("decoded again")

    monkeypatch.setattr("nextpixel.data.sources.image_files.decode", fail)


def test_the_second_time_nothing_is_decoded(folder, own_cache, monkeypatch):
    first = facts(open_images(folder))
    forbid_decoding(monkeypatch)
    assert facts(open_images(folder)) == first
    # Levels, binarisation and splits are all served from the one cache.
    for wish in (
        {"levels": 3},
        {"binarize": "dynamic"},
        {"binarize": "stochastic", "seed": 4},
        {"split": "test"},
    ):
        open_images(folder, **wish)[:]
    assert len(caches(own_cache)) == 1 and len(list(own_cache.iterdir())) == 1


def test_what_changes_the_pixels_changes_the_cache(folder, own_cache):
    for wish in (
        {},
        {"mode": "rgb"},
        {"resize": (2, 2)},
        {"resize": (2, 3)},
        {"mode": "rgb", "resize": (2, 2)},
    ):
        open_images(folder, **wish)
    assert len(caches(own_cache)) == 5
    (folder / "train/y/new.png").write_bytes(encode(noise(4, 5, seed=7)))
    assert len(open_images(folder)) == 4
    (folder / NAMES[0]).write_bytes(encode(noise(4, 5, seed=8)))
    assert torch.equal(open_images(folder)[0][0], torch.from_numpy(noise(4, 5, seed=8)))
    (folder / NAMES[0]).unlink()
    (folder / "metadata.csv").write_text(
        "file_name,label\ntrain/y/b.png,5\ntest/x/c.png,6\ntrain/x/bad.png,1\ntrain/y/new.png,2"
    )
    assert open_images(folder).labels.tolist() == [5, 2, 6]


def test_a_touched_array_is_read_anew(tmp_path):
    np.savez(tmp_path / "a.npz", images=noise(2, 3, 3))
    open_images(tmp_path / "a.npz")
    np.savez(tmp_path / "a.npz", images=noise(2, 3, 3, seed=5))
    os.utime(tmp_path / "a.npz", ns=(1, 1))
    assert np.array_equal(open_images(tmp_path / "a.npz")[:].numpy()[:, 0], noise(2, 3, 3, seed=5))


def test_damage_anywhere_is_noticed_and_mended(folder, own_cache):
    first = facts(open_images(folder))
    (cache,) = caches(own_cache)
    whole = cache.read_bytes()
    damaged = [whole[:cut] for cut in (0, 1, 20, len(whole) // 2, len(whole) - 1)]
    damaged += [whole + b"x", b"\0" * len(whole)]
    for place in range(0, len(whole), 7):
        flipped = bytearray(whole)
        flipped[place] ^= 1 << place % 8
        damaged.append(bytes(flipped))
    for data in damaged:
        cache.unlink()
        cache.write_bytes(data)
        assert facts(open_images(folder)) == first
        assert cache.read_bytes() == whole


def test_nothing_is_left_of_a_failed_build(folder, own_cache):
    (folder / "train/x/other.png").write_bytes(encode(noise(9, 9)))
    with pytest.raises(DataError, match="different sizes"):
        open_images(folder)
    assert list(own_cache.iterdir()) == []


def test_leftovers_of_killed_processes_go(folder, own_cache):
    with hidden_name(own_cache / "living.pixels") as living:
        # No process has this number: they end at 2**22.
        killed = re.sub(r"-[0-9]+-", "-999999999-", living.name)
        put(own_cache, {living.name: "x", killed: "x"})
        open_images(folder)
        assert living.exists() and not (own_cache / killed).exists()


def test_a_cache_that_cannot_be_written(folder, tmp_path, monkeypatch):
    put(tmp_path, {"file": "x"})
    for place in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(DataError, match="NEXTPIXEL_CACHE") as error:
            open_images(folder, cache=place)
        assert str(place) in str(error.value)

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(DataError, match=r"No space left.*NEXTPIXEL_CACHE"):
        open_images(folder)


def test_where_caches_lie(monkeypatch, tmp_path, own_cache):
    assert cache_folder(None) == own_cache
    assert cache_folder(str(tmp_path)) == tmp_path
    monkeypatch.delenv("NEXTPIXEL_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert cache_folder(None) == tmp_path / "xdg" / "nextpixel"
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert cache_folder(None) == tmp_path / "home" / ".cache" / "nextpixel"


def test_two_processes_at_once(tmp_path, own_cache):
    put(tmp_path / "many", pngs(*(f"{i}.png" for i in range(100))))
    code = "import sys; from nextpixel.data import open_images; print(open_images(sys.argv[1]).fingerprint)"
    command = [sys.executable, "-c", code, str(tmp_path / "many")]
    path = os.pathsep.join([str(Path(__file__).parents[2] / "src"), os.environ.get("PYTHONPATH", "")])
    running = [subprocess.Popen(command, stdout=subprocess.PIPE, env={**os.environ, "PYTHONPATH": path}) for _ in "ab"]
    prints = {process.communicate(timeout=60)[0] for process in running}
    assert prints == {open_images(tmp_path / "many").fingerprint.encode() + b"\n"}
    assert len(list(own_cache.iterdir())) == 1


def test_large_sets_are_written_in_blocks(tmp_path, monkeypatch):
    monkeypatch.setattr("nextpixel.data.cache.BLOCK", 7)
    monkeypatch.setattr("nextpixel.data.cache.MAX_BLOCKS_CHECKED", 3)
    array = noise(9, 4, 5)
    np.savez(tmp_path / "a.npz", images=array)
    for _ in range(2):
        assert np.array_equal(open_images(tmp_path / "a.npz")[:].numpy()[:, 0], array)


def test_sets_travel_to_worker_processes_without_their_pixels(tmp_path, own_cache):
    array = noise(2000, 9, 9)
    np.save(tmp_path / "a.npy", array)
    np.savez(tmp_path / "a.npz", images=array)
    put(
        own_cache / "mnist",
        {"train-images-idx3-ubyte": idx(array), "train-labels-idx1-ubyte": idx(noise(2000, levels=10))},
    )
    for source in (tmp_path / "a.npy", tmp_path / "a.npz", "mnist"):
        images = open_images(source, binarize="stochastic").subset(range(5, 50))
        sent = pickle.dumps(images)
        assert len(sent) < 10_000
        received = pickle.loads(sent)
        assert received.fingerprint == images.fingerprint and received.label_names == images.label_names
    images = open_images(array)
    assert pickle.loads(pickle.dumps(images)).fingerprint == images.fingerprint


def test_a_file_of_the_same_size_and_date_is_read_anew(tmp_path):
    for value in (10, 99):
        np.savez(tmp_path / "x.npz", images=np.full((4, 8, 8), value, np.uint8))
        put(tmp_path / "set", {"a.bmp": encode(np.full((8, 8), value, np.uint8), "BMP")})
        for path in (tmp_path / "x.npz", tmp_path / "set/a.bmp"):
            os.utime(path, (315532800, 315532800))
        assert int(open_images(tmp_path / "x.npz")[0].max()) == value
        assert int(open_images(tmp_path / "set")[0].max()) == value


def test_what_the_system_did_not_hand_over_is_tried_again(tmp_path, monkeypatch):
    put(tmp_path / "set", pngs("a.png", "b.png"))
    read = Path.read_bytes

    def denied(path):
        if path.name == "b.png":
            raise PermissionError(13, "Permission denied")
        return read(path)

    monkeypatch.setattr(Path, "read_bytes", denied)
    for _ in range(2):
        assert open_images(tmp_path / "set").skipped == (("b.png", "cannot be read (Permission denied)"),)
    monkeypatch.undo()
    assert open_images(tmp_path / "set").skipped == ()


def test_the_depth_asked_for_matters_only_where_a_file_is_deep(tmp_path, own_cache):
    put(tmp_path / "plain", pngs("a.png"))
    for wish in ({}, {"levels": 4}, {"depth": 8}):
        open_images(tmp_path / "plain", **wish)
    assert len(caches(own_cache)) == 1
    deep = np.arange(0, 65536, 3277, dtype=np.uint16).reshape(4, 5)
    put(tmp_path / "deep", {"a.png": encode(deep), **pngs("b.png")})
    assert open_images(tmp_path / "deep").names == ("b.png",)
    assert open_images(tmp_path / "deep", levels=4)[0].tolist() == [(deep // 16384).tolist()]
    assert open_images(tmp_path / "deep", depth=8)[0].tolist() == [(deep // 256).tolist()]
    assert open_images(tmp_path / "deep").names == ("b.png",)

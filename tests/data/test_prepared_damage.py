"""A prepared set that was damaged: one sentence that names the file, never anything else."""

import json
import shutil

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers.image_makers import few, noise, put
from nextpixel.data import open_images, prepare, verify_prepared
from nextpixel.data.prepared.manifest import MANIFEST, _digest
from nextpixel.errors import DataError, NextpixelError

FILES = [
    "images-00000.npy",
    "images-00001.npy",
    "images-00002.npy",
    "labels.npy",
    "vectors.npy",
    "names.npy",
    "name-ends.npy",
    "order.npy",
    "manifest.json",
]


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A set with every kind of file."""
    from helpers.image_makers import pngs

    folder = tmp_path_factory.mktemp("whole")
    source = put(folder / "set", pngs("train/a/1.png", "train/b/1.png", "test/a/1.png", "test/b/0.png", "val/b/2.png"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("nextpixel.data.preparing.shard_images_for", lambda *_: 2)
        patch.setenv("NEXTPIXEL_CACHE", str(folder / "cache"))
        prepare(source, folder / "out", vectors=noise(5, 3))
    assert {path.name for path in (folder / "out").iterdir()} == set(FILES)
    return folder / "out"


@pytest.fixture
def damaged(whole, tmp_path):
    """A copy of it to be damaged."""
    return shutil.copytree(whole, tmp_path / "damaged")


def use(folder):
    """Does all that a user may do with a set."""
    images = open_images(folder)
    images[:]
    _ = images.labels, images.vectors, images.names, images.label_names, images.fingerprint
    for split in images.splits:
        images.split(split)[::2]


@pytest.mark.parametrize("name", FILES)
def test_a_missing_file_is_named(damaged, name):
    (damaged / name).unlink()
    with pytest.raises(DataError, match=rf"{name}.*prepare the set anew"):
        open_images(damaged)


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("rest", [0, 10, 127, -1])
def test_a_file_cut_short_is_named(damaged, name, rest):
    path = damaged / name
    path.write_bytes(path.read_bytes()[:rest])
    if name == MANIFEST and rest == -1:
        # Only the last line feed was lost.
        use(damaged)
        return
    with pytest.raises(DataError, match=rf"{name}.*prepare the set anew"):
        open_images(damaged)


@pytest.mark.parametrize("name", FILES)
def test_a_file_grown_longer_is_named(damaged, name):
    path = damaged / name
    path.write_bytes(path.read_bytes() + b"x")
    with pytest.raises(DataError, match=name):
        open_images(damaged)


@few
@given(st.sampled_from(FILES), st.integers(0, 10**6), st.integers(1, 255))
def test_any_flipped_byte_is_noticed_when_verified_and_never_a_crash(whole, tmp_path_factory, name, place, mask):
    folder = shutil.copytree(whole, tmp_path_factory.mktemp("flipped") / "set")
    data = bytearray((folder / name).read_bytes())
    data[place % len(data)] ^= mask
    (folder / name).write_bytes(data)
    with pytest.raises(DataError, match=name):
        verify_prepared(folder)
    try:
        use(folder)
    except NextpixelError as error:
        assert len(str(error)) < 400


def test_a_whole_set_is_verified_file_by_file(whole):
    assert set(verify_prepared(whole).files) == set(FILES) - {MANIFEST}


def rewrite(folder, **changes):
    """Changes a manifest and makes its checksum fit."""
    record = json.loads((folder / MANIFEST).read_text()) | changes
    del record["sha256"]
    record["sha256"] = _digest(record)
    (folder / MANIFEST).write_text(json.dumps(record))


@pytest.mark.parametrize(
    "changes",
    [
        {"count": 4},
        {"count": 0},
        {"count": True},
        {"count": "5"},
        {"shape": [1, 4]},
        {"shape": [1, 4, 4]},
        {"shape": [1, 2**20, 2**20]},
        {"shape": None},
        {"levels": 1},
        {"levels": 300},
        {"shard_images": 1},
        {"shard_images": 10},
        {"splits": {"train": 7}},
        {"splits": {"train": -1, "test": 6}},
        {"splits": []},
        {"label_names": ["a"]},
        {"label_names": [1, 2]},
        {"notes": [1]},
        {"skipped": ["a"]},
        {"options": []},
        {"files": {}},
        {"files": {"../../etc/passwd": [1, ""]}},
        {"more": 1},
        {"name": 5},
    ],
)
def test_a_manifest_that_does_not_fit_is_refused(damaged, changes):
    rewrite(damaged, **changes)
    with pytest.raises(DataError):
        use(damaged)


def test_a_manifest_changed_by_hand_is_refused(damaged):
    text = (damaged / MANIFEST).read_text()
    (damaged / MANIFEST).write_text(text.replace('"levels": 256', '"levels": 255'))
    with pytest.raises(DataError, match=r"manifest\.json is damaged"):
        open_images(damaged)


def test_a_later_version_says_so(damaged):
    rewrite(damaged, version=2)
    with pytest.raises(DataError, match="version 2"):
        open_images(damaged)


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "[" * 100_000, '{"format": "nextpixel prepared set"}'])
def test_a_manifest_that_is_none(damaged, text):
    (damaged / MANIFEST).write_text(text)
    with pytest.raises(DataError, match=r"manifest\.json"):
        open_images(damaged)


@pytest.mark.parametrize(
    ("name", "value"),
    # A label of -1 is that of an image of a split without labels.
    [
        ("labels.npy", -2),
        *((name, value) for name in ("labels.npy", "order.npy") for value in (5, 2**62)),
        ("order.npy", -1),
    ],
)
def test_numbers_out_of_range_are_noticed_when_opened(damaged, name, value):
    values = np.load(damaged / name)
    values[1] = value
    np.save(damaged / name, values)
    with pytest.raises(DataError, match=name):
        open_images(damaged)


def test_a_file_that_changes_while_the_set_is_open(damaged):
    images = open_images(damaged)
    path = damaged / "images-00001.npy"
    path.write_bytes(path.read_bytes()[:140])
    with pytest.raises(DataError, match=r"images-00001\.npy is shorter"):
        images[:]
    path.unlink()
    with pytest.raises(DataError, match=r"images-00001\.npy cannot be read"):
        images[:]
    assert images[[3]].shape == (1, 1, 4, 5)


@pytest.mark.parametrize("make", ["missing", "images"])
def test_only_prepared_sets_are_verified(tmp_path, make):
    if make == "images":
        put(tmp_path / make, {"a.png": b"x"})
    with pytest.raises(DataError, match="not a prepared set"):
        verify_prepared(tmp_path / make)

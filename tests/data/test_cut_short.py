"""Files that somebody cuts short while a set of images is open: a sentence, where a mapping would end in a signal."""

import os

import numpy as np
import pytest

from helpers.image_makers import idx, noise, pngs, put
from helpers.places import filled
from nextpixel.cli.app import run
from nextpixel.data import open_images
from nextpixel.data.pictures import open_pictures
from nextpixel.data.preparing import prepare
from nextpixel.errors import DataError


def npy(folder, images):
    np.save(folder / "set.npy", images)
    return folder / "set.npy", folder / "set.npy"


def npy_by_columns(folder, images):
    np.save(folder / "set.npy", np.asfortranarray(images))
    return folder / "set.npy", folder / "set.npy"


def idx_file(folder, images):
    return put(folder, {"set-idx": idx(images)}) / "set-idx", folder / "set-idx"


def cached(folder, images):
    np.savez(folder / "set.npz", images=images)
    open_images(folder / "set.npz")
    (cache,) = (folder / "cache").glob("*.pixels")
    return folder / "set.npz", cache


def prepared(folder, images):
    prepare(images, folder / "prepared")
    (shard,) = (folder / "prepared").glob("*.npy")
    return folder / "prepared", shard


KINDS = {maker.__name__: maker for maker in (npy, npy_by_columns, idx_file, cached, prepared)}


@pytest.fixture
def images(tmp_path, monkeypatch):
    monkeypatch.setenv("NEXTPIXEL_CACHE", str(tmp_path / "cache"))
    return noise(300, 60, 50)


@pytest.mark.parametrize("kind", KINDS)
def test_a_file_that_is_cut_while_it_is_open(tmp_path, images, kind):
    source, file = KINDS[kind](tmp_path, images)
    opened = open_images(source)
    assert np.array_equal(opened[290:].numpy()[:, 0], images[290:])
    for size in (images.size - 1, 9000, 0):
        os.truncate(file, size)
        with pytest.raises(DataError, match="is shorter than it was when it was opened"):
            opened[290:]
    with pytest.raises(DataError):
        list(opened)


def test_pictures_whose_cache_is_cut(tmp_path, monkeypatch):
    monkeypatch.setenv("NEXTPIXEL_CACHE", str(tmp_path / "cache"))
    pictures = open_pictures(put(tmp_path / "pictures", pngs("a.png", "b.png")))
    (cache,) = (tmp_path / "cache").glob("*.pixels")
    os.truncate(cache, 3)
    for look in (lambda: pictures[1], lambda: pictures.fingerprint):
        with pytest.raises(DataError, match="open the images anew"):
            look()


def test_a_command_ends_with_a_sentence(tmp_path, monkeypatch, capsys):
    """As where another program writes the file anew meanwhile."""
    source = filled(tmp_path) / "images.npy"
    np.save(source, np.load(tmp_path / "images.npz")["images"])
    read = open_images

    def read_and_cut(*arguments, **options):
        opened = read(*arguments, **options)
        os.truncate(source, 200)
        return opened

    monkeypatch.setattr("nextpixel.data.open_images", read_and_cut)
    assert (
        run(["score", str(tmp_path / "model"), str(source), "--levels", "3", "--out", str(tmp_path / "scores.csv")])
        == 2
    )
    assert f"{source} is shorter than it was" in capsys.readouterr().err
    assert not (tmp_path / "scores.csv").exists()

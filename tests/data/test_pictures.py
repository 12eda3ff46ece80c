import numpy as np
import pytest
from PIL import Image

import nextpixel as nx
from nextpixel.data import pictures as module
from nextpixel.data.mapped import MappedPixels


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("NEXTPIXEL_CACHE", str(tmp_path / "cache"))
    generator = np.random.default_rng(0)
    for name, size in {"valid/c": (4, 9), "train/b": (7, 3), "train/a": (5, 6)}.items():
        path = tmp_path / "set" / f"{name}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(generator.integers(0, 256, (*size, 3)).astype(np.uint8)).save(path)
    return tmp_path / "set"


def test_pictures_are_what_the_files_hold_in_the_order_of_open_images(folder):
    pictures = nx.open_pictures(folder)
    assert (len(pictures), pictures.channels, pictures.levels) == (3, 3, 256)
    assert pictures.splits == {"train": 2, "valid": 1}
    for name, picture, size in zip(pictures.names, pictures, pictures.sizes, strict=True):
        stored = np.asarray(Image.open(folder / name)).transpose(2, 0, 1)
        assert np.array_equal(picture.numpy(), stored) and tuple(size) == stored.shape[1:]
    assert np.array_equal(pictures.region(0, 1, 2, 3, 2), pictures[0][:, 1:4, 2:4].numpy())
    assert [tuple(each.shape) for each in pictures.split("valid")] == [(3, 4, 9)]
    with pytest.raises(IndexError):
        pictures[3]


def test_they_are_decoded_once_and_mapped(folder, monkeypatch):
    first = nx.open_pictures(folder)
    monkeypatch.setattr(module, "ingest", None)
    again = nx.open_pictures(folder)
    assert isinstance(again._stock.pixels, MappedPixels)
    assert again.fingerprint == first.fingerprint
    assert nx.open_pictures(folder, split="train").fingerprint != first.fingerprint


def test_levels_and_modes_are_as_for_images(folder):
    fine, coarse = nx.open_pictures(folder), nx.open_pictures(folder, levels=16)
    assert np.array_equal(coarse[1].numpy(), fine[1].numpy() // 16) and coarse.levels == 16
    assert nx.open_pictures(folder, mode="grey").channels == 1
    assert coarse.fingerprint != fine.fingerprint
    assert coarse.reading.levels == 16 and coarse.reading.resize is None


def test_pictures_of_different_kinds_are_refused_with_the_remedy(folder):
    Image.new("L", (5, 5)).save(folder / "train" / "grey.png")
    with pytest.raises(nx.DataError, match="--mode"):
        nx.open_pictures(folder)
    assert len(nx.open_pictures(folder, mode="rgb")) == 4


def test_held_out_pictures_are_always_the_same(folder):
    training, valid = nx.open_pictures(folder).hold_out(0.3)
    assert (len(training), len(valid)) == (2, 1)
    assert nx.open_pictures(folder).hold_out(0.3)[1].names == valid.names

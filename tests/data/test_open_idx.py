import gzip
import struct

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from helpers.image_makers import few, idx, idx_gz, noise, put
from nextpixel.data import open_images
from nextpixel.errors import DataError

TRAIN, TEST = noise(5, 4, 3), noise(2, 4, 3, seed=1)
TRAIN_LABELS, TEST_LABELS = np.array([3, 1, 4, 1, 5], np.uint8), np.array([9, 2], np.uint8)


def mnist(encode, dot="-", suffix=""):
    return {
        f"train-images{dot}idx3-ubyte{suffix}": encode(TRAIN),
        f"train-labels{dot}idx1-ubyte{suffix}": encode(TRAIN_LABELS),
        f"t10k-images{dot}idx3-ubyte{suffix}": encode(TEST),
        f"t10k-labels{dot}idx1-ubyte{suffix}": encode(TEST_LABELS),
    }


@few
@given(st.integers(1, 5), st.integers(1, 6), st.integers(1, 6), st.booleans(), st.booleans(), st.booleans())
def test_images_and_labels(tmp_path_factory, count, height, width, zipped, labelled, labels_zipped):
    array, labels = noise(count, height, width), noise(count)
    folder = tmp_path_factory.mktemp("idx")
    name = "x-images-idx3-ubyte" + ".gz" * zipped
    put(folder, {name: (idx_gz if zipped else idx)(array)})
    if labelled:
        put(
            folder,
            {"x-labels-idx1-ubyte" + ".gz" * labels_zipped: (idx_gz if labels_zipped else idx)(labels)},
        )
    images = open_images(folder / name)
    assert np.array_equal(images[:].numpy()[:, 0], array)
    assert images.labels.tolist() == labels.tolist() if labelled else images.labels is None
    assert images.levels == 256 and images.name == name


@pytest.mark.parametrize("encode, dot, suffix", [(idx, "-", ""), (idx_gz, "-", ".gz"), (idx, ".", "")])
def test_a_folder_of_two_sets(tmp_path, encode, dot, suffix):
    images = open_images(put(tmp_path / "mnist", mnist(encode, dot, suffix)))
    assert images.splits == {"train": 5, "test": 2}
    assert np.array_equal(images[:].numpy()[:, 0], np.concatenate([TRAIN, TEST]))
    assert images.labels.tolist() == [3, 1, 4, 1, 5, 9, 2]
    assert torch.equal(open_images(tmp_path / "mnist", split="test")[:], images[5:])


def test_a_folder_of_one_set(tmp_path):
    files = {name: data for name, data in mnist(idx).items() if "t10k" in name}
    images = open_images(put(tmp_path / "mnist", files))
    assert images.splits == {"test": 2} and images.labels.tolist() == [9, 2]


def test_labels_of_one_set_only(tmp_path):
    files = {name: data for name, data in mnist(idx).items() if name != "t10k-labels-idx1-ubyte"}
    images = open_images(put(tmp_path / "mnist", files))
    assert images.labels is None and "no labels" in images.notes[0]


def test_any_name_will_do(tmp_path):
    put(tmp_path, {"digits.bin": idx(TRAIN), "zipped": idx_gz(TRAIN)})
    assert len(open_images(tmp_path / "digits.bin")) == len(open_images(tmp_path / "zipped")) == 5


BAD = {
    "labels as images": (idx(TRAIN_LABELS), "00000801.*00000803"),
    "floats": (struct.pack(">BBBB3I", 0, 0, 13, 3, 1, 1, 1) + bytes(4), "00000d03"),
    "no images": (struct.pack(">BBBB3I", 0, 0, 8, 3, 0, 4, 4), r"\[0, 4, 4\]"),
    "half a header": (idx(TRAIN)[:11], "header"),
    "too short": (idx(TRAIN)[:-1], "59 bytes"),
    "too long": (idx(TRAIN) + b"x", "61 bytes"),
    "huge": (struct.pack(">BBBB3I", 0, 0, 8, 3, 1, 2**32 - 1, 2**32 - 1), "cut them up"),
    "many": (struct.pack(">BBBB3I", 0, 0, 8, 3, 2**32 - 1, 100, 100), "holds 0 bytes"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_files_are_named(tmp_path, case):
    data, message = BAD[case]
    put(tmp_path, {"bad-idx": data})
    with pytest.raises(DataError, match=message) as error:
        open_images(tmp_path / "bad-idx")
    assert "bad-idx" in str(error.value)
    put(tmp_path, {"bad-idx.gz": gzip.compress(data)})
    with pytest.raises(DataError, match=r"bad-idx\.gz"):
        open_images(tmp_path / "bad-idx.gz")


def test_damaged_gzip(tmp_path):
    whole = idx_gz(noise(5, 20, 20))
    for i, data in enumerate((whole[:-9], whole[:-1], whole[:-8] + bytes(8), whole[:200] + b"\xff" * 50 + whole[250:])):
        put(tmp_path, {f"{i}.gz": data})
        with pytest.raises(DataError, match=rf"{i}\.gz"):
            open_images(tmp_path / f"{i}.gz")


BAD_LABELS = {
    "too few": idx(TRAIN_LABELS[:4]),
    "too short": idx(TRAIN_LABELS)[:-1],
    "too long": idx(TRAIN_LABELS) + b"x",
    "images": idx(TRAIN),
    "empty": b"",
    "half gzip": idx_gz(TRAIN_LABELS)[:-4],
    "declares billions": struct.pack(">BBBBI", 0, 0, 8, 1, 2**32 - 1) + b"x",
}


@pytest.mark.parametrize("case", BAD_LABELS)
def test_bad_labels_are_named(tmp_path, case):
    put(tmp_path, {"a-images-idx3-ubyte": idx(TRAIN), "a-labels-idx1-ubyte": BAD_LABELS[case]})
    with pytest.raises(DataError, match="a-labels-idx1-ubyte"):
        open_images(tmp_path / "a-images-idx3-ubyte")


def test_other_sizes_in_the_test_set(tmp_path):
    files = {**mnist(idx), "t10k-images-idx3-ubyte": idx(noise(2, 5, 3))}
    with pytest.raises(DataError, match="5 of 4x3, 2 of 5x3"):
        open_images(put(tmp_path / "mnist", files))

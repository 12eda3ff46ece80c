import numpy as np
import pytest

from helpers.image_makers import idx_gz, noise, pngs, put
from nextpixel.data import open_images
from nextpixel.data.sources.cifar import CLASSES
from nextpixel.errors import DataError


def cifar(count, seed):
    images, labels = noise(count, 3, 32, 32, seed=seed), noise(count, 1, seed=seed, levels=10)
    return np.concatenate([labels, images.reshape(count, -1)], 1).tobytes(), images, labels[:, 0]


def mnist_files(count=3):
    return {
        "train-images-idx3-ubyte.gz": idx_gz(noise(count, 4, 4)),
        "train-labels-idx1-ubyte.gz": idx_gz(np.arange(count, dtype=np.uint8)),
        "t10k-images-idx3-ubyte.gz": idx_gz(noise(2, 4, 4)),
        "t10k-labels-idx1-ubyte.gz": idx_gz(np.array([9, 8], np.uint8)),
    }


def test_digits():
    load_digits = pytest.importorskip("sklearn.datasets").load_digits
    images = open_images("digits")
    assert len(images) == 1797 and images.image_shape == (1, 8, 8) and images.levels == 17
    assert images.label_names == tuple("0123456789") and images.name == "digits"
    assert list(images.splits) == ["train", "valid", "test"]

    def pairs(pixels, labels):
        return sorted((image.tobytes(), int(label)) for image, label in zip(pixels, labels, strict=True))

    bunch = load_digits()
    mine = pairs(images[:].numpy(), images.labels.numpy())
    assert mine == pairs(bunch.images.astype(np.uint8), bunch.target)
    assert min(np.bincount(images.split("test").labels)) > 5
    # The shuffle is part of the set: a model trained on one machine is evaluated on another.
    assert images.labels[:12].tolist() == [4, 2, 6, 0, 3, 6, 7, 5, 5, 0, 2, 9]


def test_cifar10(tmp_path):
    (one, images1, labels1), (two, images2, labels2), (test, images3, labels3) = (cifar(n, n) for n in (4, 3, 2))
    folder = put(tmp_path / "bin", {"data_batch_1.bin": one, "data_batch_3.bin": two, "test_batch.bin": test})
    images = open_images(folder)
    assert images.splits == {"train": 7, "test": 2} and images.label_names == CLASSES
    assert np.array_equal(images[:].numpy(), np.concatenate([images1, images2, images3]))
    assert images.labels.tolist() == [*labels1, *labels2, *labels3]
    assert open_images(folder, mode="grey").image_shape == (1, 32, 32)


def test_bad_cifar_files(tmp_path):
    good = cifar(2, 0)[0]
    for i, data in enumerate((good[:-1], b"", bytes([10]) + good[1:])):
        folder = put(tmp_path / str(i), {"data_batch_1.bin": data})
        with pytest.raises(DataError, match=r"data_batch_1\.bin|label 10"):
            open_images(folder)
    pickles = put(tmp_path / "py", {"data_batch_1": b"x", "batches.meta": b"x"})
    with pytest.raises(DataError, match="pickles are never read"):
        open_images(pickles)


def test_sets_are_found_where_the_variable_says(tmp_path, monkeypatch):
    monkeypatch.setenv("NEXTPIXEL_DATA", str(tmp_path / "data"))
    put(tmp_path / "data" / "mnist", mnist_files())
    put(tmp_path / "data" / "cifar10" / "cifar-10-batches-bin", {"test_batch.bin": cifar(2, 0)[0]})
    images = open_images("mnist")
    assert images.splits == {"train": 3, "test": 2} and images.name == "mnist"
    assert images.label_names == tuple("0123456789") and images.labels.tolist() == [0, 1, 2, 9, 8]
    assert open_images("cifar10").splits == {"test": 2}


def test_sets_are_found_in_the_cache_folder(tmp_path, own_cache):
    put(own_cache / "fashion-mnist", mnist_files())
    assert open_images("fashion-mnist").label_names[9] == "Ankle boot"
    put(tmp_path / "elsewhere" / "mnist", mnist_files(2))
    assert len(open_images("mnist", cache=tmp_path / "elsewhere")) == 4


def test_the_package_of_debian(tmp_path, monkeypatch):
    monkeypatch.setattr(
        "nextpixel.data.sources.named.DEBIAN_FOLDERS", {"fashion-mnist": put(tmp_path / "deb", mnist_files())}
    )
    assert len(open_images("fashion-mnist")) == 5


def test_a_set_that_is_nowhere(monkeypatch, tmp_path, own_cache):
    monkeypatch.setattr("nextpixel.data.sources.named.DEBIAN_FOLDERS", {"fashion-mnist": tmp_path / "deb"})
    with pytest.raises(DataError, match="dataset-fashion-mnist") as error:
        open_images("fashion-mnist")
    assert str(own_cache) in str(error.value) and "NEXTPIXEL_DATA" in str(error.value)
    for name, file in (("mnist", "train-images-idx3-ubyte"), ("cifar10", "test_batch.bin")):
        with pytest.raises(DataError, match=file):
            open_images(name)


def test_a_path_wins_over_a_name(tmp_path, monkeypatch):
    put(tmp_path / "digits", pngs("a.png"))
    monkeypatch.chdir(tmp_path)
    assert len(open_images("digits")) == 1
    assert open_images("digits").name == "digits" and open_images("digits").levels == 256

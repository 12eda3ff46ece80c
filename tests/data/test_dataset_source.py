"""Data sets of PyTorch, of Hugging Face, and anything that behaves like them."""

import gc
import io
import multiprocessing
import operator
import pickle
import sys

import numpy as np
import pytest
import torch
from PIL import Image

from helpers.file_matrix import png
from helpers.image_makers import encode, noise, put
from nextpixel.data import open_images, prepare
from nextpixel.errors import DataError

PIXELS = noise(7, 5, 6, 3)
LABELS = [2, 0, 1, 1, 0, 2, 0]


class Map(torch.utils.data.Dataset):
    """What PyTorch calls a map-style data set."""

    def __init__(self, items):
        self.items = items

    def __len__(self):
        return len(self.items)

    def __getitem__(self, index):
        return self.items[index]


class Stream(torch.utils.data.IterableDataset):
    def __init__(self, items):
        self.items = items

    def __iter__(self):
        return iter(self.items)


class ClassLabel:
    names = ("ant", "bee", "cat")


class FakeHub:
    """What Hugging Face's data sets look like from outside."""

    class Image:
        pass

    def __init__(self, rows, column="picture"):
        self.rows = rows
        self.features = {"id": None, column: FakeHub.Image(), "label": ClassLabel()}

    def __len__(self):
        return len(self.rows)

    def __getitem__(self, index):
        return self.rows[index]


def expected(pixels=PIXELS):
    return torch.from_numpy(pixels.transpose(0, 3, 1, 2).copy())


KINDS = {
    "pillow": Image.fromarray,
    "channels last": lambda pixels: pixels,
    "channels first": lambda pixels: pixels.transpose(2, 0, 1),
    "tensor": lambda pixels: torch.from_numpy(pixels.transpose(2, 0, 1).copy()),
    "tensor with channels last": lambda pixels: torch.from_numpy(pixels),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("wrap", [Map, Stream, list, iter])
@pytest.mark.parametrize("labelled", [True, False])
def test_every_kind_of_image_from_every_kind_of_set(tmp_path, kind, wrap, labelled):
    images = [KINDS[kind](pixels) for pixels in PIXELS]
    items = list(zip(images, LABELS, strict=True)) if labelled else images
    for found in (open_images(wrap(items)), prepare(wrap(items), tmp_path / "out")):
        assert torch.equal(found[:], expected()) and found.levels == 256
        assert (found.labels is None) == (not labelled)
        if labelled:
            assert found.labels.tolist() == LABELS


def test_grey_images():
    grey = noise(4, 5, 6)
    for make in (Image.fromarray, np.asarray, torch.from_numpy):
        found = open_images(Map([make(pixels) for pixels in grey]))
        assert torch.equal(found[:], torch.from_numpy(grey)[:, None])


@pytest.mark.parametrize("shape", [(3, 9, 3), (4, 2, 1), (1, 1, 1)])
def test_a_choice_goes_by_the_custom_of_each_side(shape):
    pixels = noise(*shape)
    assert torch.equal(open_images([pixels])[0], torch.from_numpy(pixels.transpose(2, 0, 1).copy()))
    assert torch.equal(open_images([torch.from_numpy(pixels)])[0], torch.from_numpy(pixels))


def test_wishes_apply_to_data_sets(tmp_path):
    data = Map([Image.fromarray(pixels) for pixels in PIXELS])
    wishes = {"mode": "grey", "resize": (3, 3), "levels": 5}
    assert torch.equal(open_images(data, **wishes)[:], open_images(PIXELS, **wishes)[:])
    assert torch.equal(prepare(data, tmp_path / "out", **wishes)[:], open_images(PIXELS, **wishes)[:])


def test_a_dict_of_data_sets_has_splits():
    parts = {"test": PIXELS[:2], "validation": PIXELS[2:3], "train": PIXELS[3:], "extra": PIXELS[:1]}
    found = open_images({name: Map(list(pixels)) for name, pixels in parts.items()})
    assert list(found.splits.items()) == [("train", 4), ("valid", 1), ("test", 2), ("extra", 1)]
    assert torch.equal(found.split("test")[:], expected(PIXELS[:2]))
    with pytest.raises(DataError, match="two splits that mean valid"):
        open_images({"val": [PIXELS[0]], "valid": [PIXELS[0]]})


def test_columns_are_found_by_their_features():
    rows = [
        {"id": 5, "picture": Image.fromarray(pixels), "label": label}
        for pixels, label in zip(PIXELS, LABELS, strict=True)
    ]
    found = open_images(FakeHub(rows))
    assert torch.equal(found[:], expected())
    assert found.labels.tolist() == LABELS and found.label_names == ("ant", "bee", "cat")
    assert found.name == "FakeHub"


@pytest.mark.parametrize("column", ["image", "img"])
def test_columns_are_found_by_their_names(column):
    found = open_images(Map([{column: pixels, "label": np.int64(1)} for pixels in PIXELS]))
    assert torch.equal(found[:], expected()) and found.labels.tolist() == [1] * 7
    with pytest.raises(DataError, match="photo but no image"):
        open_images(Map([{"photo": PIXELS[0]}]))


def test_secret_labels_are_none():
    assert open_images(Map([(pixels, -1) for pixels in PIXELS])).labels is None
    found = open_images(Map([(PIXELS[0], 3), (PIXELS[1], None)]))
    assert found.labels is None and "no labels" in found.notes[0]


def test_class_names_as_torchvision_has_them():
    data = Map(list(zip(PIXELS, LABELS, strict=True)))
    data.classes = ["ant", "bee", "cat"]
    assert open_images(data).label_names == ("ant", "bee", "cat")
    data.classes = ["ant"]
    with pytest.raises(DataError, match="label 2 but only 1"):
        open_images(data)


@pytest.mark.parametrize(
    ("item", "sentence"),
    [
        (np.zeros((4, 4), np.float32), "float32.*ToTensor"),
        (torch.zeros(1, 4, 4), "float32.*ToTensor"),
        (np.zeros((4, 4), np.int64), "int64.*uint8"),
        (np.zeros((4, 4), bool), "bool.*uint8"),
        (np.zeros((9, 9, 9), np.uint8), r"shape \[9, 9, 9\]"),
        (np.zeros((0, 9), np.uint8), r"shape \[0, 9\]"),
        (np.zeros(9, np.uint8), r"shape \[9\]"),
        (Image.new("I;16", (4, 4)), "I;16"),
        ("text", "is a str"),
        (None, "is a NoneType"),
        ((PIXELS[0], "ant"), "label 'ant'"),
        ((PIXELS[0], 1.5), "label '1.5'"),
        ((PIXELS[0], -2), "label -2"),
    ],
)
def test_items_that_are_no_images_are_named(tmp_path, item, sentence):
    good = (PIXELS[0], 0) if isinstance(item, tuple) else PIXELS[0]
    for use in (open_images, lambda data: prepare(data, tmp_path / "out")):
        with pytest.raises(DataError, match=rf"item 1 of Map.*{sentence}"):
            use(Map([good, item]))
    assert not (tmp_path / "out").exists()


def test_what_a_data_set_raises_is_told():
    class Broken(Map):
        def __getitem__(self, index):
            raise RuntimeError("the disk\nis gone")

    with pytest.raises(DataError, match=r"item 0 of Broken cannot be read .RuntimeError: the disk is gone"):
        open_images(Broken([1]))


class FileHub(FakeHub):
    """A set of the hub that gives images in memory unless it is asked for their files."""

    class Image:
        def __init__(self, decode=True):
            self.decode = decode

    def __init__(self, files, decode=True):
        super().__init__(files)
        self.features = {"picture": FileHub.Image(decode), "label": ClassLabel()}

    def cast_column(self, column, feature):
        assert column == "picture" and feature.decode is False
        return FileHub(self.rows, decode=False)

    def __getitem__(self, index):
        data = self.rows[index]
        if not self.features["picture"].decode:
            return {"picture": {"bytes": data, "path": None}, "label": 1}
        image = Image.open(io.BytesIO(data))
        image.load()
        return {"picture": image, "label": 1}


def test_images_of_the_hub_are_read_from_their_files():
    deep = saved(noise(4, 5, 3).astype(np.uint16) * 257)
    plain = encode(noise(4, 5, 3))
    assert torch.equal(open_images(FileHub([plain]))[0], torch.from_numpy(noise(4, 5, 3).transpose(2, 0, 1).copy()))
    with pytest.raises(DataError, match="has 16 bits"):
        open_images(FileHub([deep]))
    assert open_images(FileHub([deep]), depth=8)[0].tolist() == noise(4, 5, 3).transpose(2, 0, 1).tolist()


def saved(values):
    return png(values, 16, 2)


def test_an_image_that_was_loaded_before_tells_its_depth_by_its_file(tmp_path):
    put(tmp_path, {"deep.png": saved(noise(4, 5, 3).astype(np.uint16) * 257), "plain.png": encode(noise(4, 5, 3))})
    deep, plain = Image.open(tmp_path / "deep.png"), Image.open(tmp_path / "plain.png")
    deep.load(), plain.load()
    assert len(open_images([plain])) == 1
    with pytest.raises(DataError, match="has 16 bits"):
        open_images([deep])
    nameless = Image.open(io.BytesIO((tmp_path / "deep.png").read_bytes()))
    nameless.load()
    with pytest.raises(DataError, match="was loaded from PNG before"):
        open_images([nameless])
    assert len(open_images([nameless.copy()])) == 1


@pytest.mark.parametrize("source", [5, None, b"x", {}, {"train": 5}, object()])
def test_what_is_no_data_set(source):
    with pytest.raises(DataError, match="cannot be read from a"):
        open_images(source)


def test_sets_of_different_sizes_are_refused():
    with pytest.raises(DataError, match="different sizes"):
        open_images([noise(4, 4), noise(5, 5)])


def test_a_data_set_in_memory_leaves_no_file(own_cache):
    found = open_images(Map(list(PIXELS)))
    assert torch.equal(found[[3, 1]], expected()[[3, 1]])
    del found
    gc.collect()
    assert list(own_cache.iterdir()) == []


class Drawn(torch.utils.data.Dataset):
    """Random images, which are others in every process that reads them."""

    def __len__(self):
        return 3

    def __getitem__(self, index):
        if index >= 3:
            raise IndexError
        return np.random.default_rng().integers(0, 256, (4, 5), dtype=np.uint8)


def test_a_spawned_process_has_the_images_that_were_read_once():
    images = open_images(Drawn())
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        assert torch.equal(pool.apply(operator.getitem, (images, slice(None))), images[:])


def test_images_of_a_process_that_is_gone_are_missed_in_a_sentence():
    images = open_images(Drawn())
    sent = pickle.dumps(images)
    del images
    gc.collect()
    with pytest.raises(DataError, match="gone with it"):
        pickle.loads(sent)


# ---------------------------------------------------------------------------------------------- the hub


def test_without_the_library_the_command_is_told(monkeypatch):
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(DataError, match=r"pip install 'nextpixel\[hub\]'"):
        open_images("hf:ylecun/mnist")


def test_name_and_configuration_go_to_the_library(monkeypatch):
    asked = []

    class Library:
        @staticmethod
        def load_dataset(name, config):
            asked.append((name, config))
            if name == "no/such":
                raise FileNotFoundError("no such data set\nat all")
            return {"test": FakeHub([{"picture": PIXELS[0], "label": 1}])}

    monkeypatch.setitem(sys.modules, "datasets", Library)
    found = open_images("hf:owner/name")
    assert found.name == "owner/name" and found.splits == {"test": 1} and found.labels.tolist() == [1]
    open_images("hf:owner/name:plain", split="test")
    assert asked == [("owner/name", None), ("owner/name", "plain")]
    with pytest.raises(DataError, match=r"no such data set at all.*hf:NAME:CONFIG"):
        open_images("hf:no/such")


def test_a_real_set_of_the_library(tmp_path):
    datasets = pytest.importorskip("datasets", reason="the extra [hub] is not installed")
    folder = put(
        tmp_path / "set",
        {
            f"{split}/{label}/{i}.png": encode(noise(4, 4, seed=i))
            for split in ("train", "test")
            for label in "ab"
            for i in range(3)
        },
    )
    data = datasets.load_dataset("imagefolder", data_dir=str(folder), cache_dir=str(tmp_path / "hub"))
    data.save_to_disk(str(tmp_path / "saved"))
    plain = open_images(folder)
    for source in (data, f"hf:{tmp_path / 'saved'}"):
        found = open_images(source)
        assert found.splits == plain.splits and found.label_names == plain.label_names
        assert torch.equal(found.labels, plain.labels) and torch.equal(found[:], plain[:])
    assert open_images(data["train"]).label_names == ("a", "b")
    assert prepare(data["train"].to_iterable_dataset(), tmp_path / "out").labels.tolist() == [0, 0, 0, 1, 1, 1]

"""What `prepare` writes is what the source was, and it is written whole or not at all."""

import io
import pickle
import tracemalloc
import zipfile

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from helpers.image_makers import encode, few, noise, pngs, put
from nextpixel.data import open_images, prepare, verify_prepared
from nextpixel.errors import DataError, InputError, NextpixelError


def same(first, second):
    """Compares all that two sets say and hold, but for their fingerprints."""
    assert torch.equal(first[:], second[:])
    for what in ("levels", "label_names", "names", "splits", "name", "skipped", "binarize", "dynamic"):
        assert getattr(first, what) == getattr(second, what), what
    for what in ("labels", "vectors"):
        one, other = getattr(first, what), getattr(second, what)
        assert (one is None) == (other is None) and (one is None or torch.equal(one, other)), what
    for split in first.splits:
        one, other = first.split(split), second.split(split)
        assert torch.equal(one[:], other[:]) and one.names == other.names


def folder_of_splits(path):
    names = ["train/a/1.png", "train/b/1.png", "test/a/é.png", "val/b/2.png", "test/b/0.png", "train/a/0.png"]
    return put(path / "set", {**pngs(*names), "train/a/2.png": b"damaged"})


def zip_out_of_order(path):
    with zipfile.ZipFile(path / "set.zip", "w") as archive:
        for name, data in pngs("z.png", "b/c.png", "a.png", "b/a.png").items():
            archive.writestr(name, data)
    return path / "set.zip"


def npz(path, **more):
    entries = {"images": noise(9, 4, 5, levels=17), "levels": np.array(17), "labels": np.arange(9) % 3}
    names = np.array(["red", "green", "blue"])
    np.savez(path / "set.npz", **{**entries, "label_names": names, "vectors": noise(9, 4).astype("f4"), **more})
    return path / "set.npz"


def metadata(path):
    table = "file_name,label,vector\nb.png,7,1 2\na.png,9,3 4.5\n"
    return put(path / "set", {**pngs("a.png", "b.png"), "metadata.csv": table})


def colour(path):
    return put(path / "set", {f"{i}.png": encode(noise(4, 5, 3, seed=i)) for i in range(5)})


def with_alpha(path):
    return put(path / "set", {f"{i}.png": encode(noise(4, 5, 4, seed=i)) for i in range(5)})


def npy(path):
    np.save(path / "set.npy", noise(7, 4, 5, 2))
    return path / "set.npy"


SOURCES = [folder_of_splits, zip_out_of_order, npz, metadata, colour, with_alpha, npy]


@pytest.mark.parametrize("make", SOURCES)
@pytest.mark.parametrize("shard_images", [1, 2, 3, 1000])
def test_a_prepared_set_is_what_the_source_was(tmp_path, monkeypatch, make, shard_images):
    source = make(tmp_path)
    original = open_images(source)
    monkeypatch.setattr("nextpixel.data.preparing.shard_images_for", lambda *_: shard_images)
    prepared = prepare(source, tmp_path / "out")
    same(original, prepared)
    same(original, open_images(str(tmp_path / "out")))
    assert prepared.notes == original.notes
    assert len(list((tmp_path / "out").glob("images-*.npy"))) == -(-len(original) // shard_images)
    assert verify_prepared(tmp_path / "out").count == len(original)


@pytest.mark.parametrize("make", SOURCES)
def test_prepared_once_more_it_is_the_same(tmp_path, make):
    first = prepare(make(tmp_path), tmp_path / "first")
    second = prepare(tmp_path / "first", tmp_path / "second")
    same(first, second)
    assert second.fingerprint == first.fingerprint and second.notes == first.notes


@pytest.mark.parametrize(
    "wishes",
    [
        {"levels": 4},
        {"levels": 256},
        {"binarize": "threshold"},
        {"binarize": "stochastic", "seed": 5},
        {"resize": (3, 2), "mode": "rgb"},
        {"resize": (4, 5), "mode": "grey", "drop_alpha": True, "levels": 2},
    ],
)
@pytest.mark.parametrize("make", [folder_of_splits, zip_out_of_order])
def test_wishes_are_done_once_and_for_all(tmp_path, monkeypatch, make, wishes):
    source = make(tmp_path)
    monkeypatch.setattr("nextpixel.data.preparing.shard_images_for", lambda *_: 2)
    prepared = prepare(source, tmp_path / "out", **wishes)
    same(open_images(source, **wishes), prepared)
    # And those who ask for the same again, as the commands do for a model of these images, get the same.
    assert torch.equal(open_images(tmp_path / "out", **wishes)[:], prepared[:])


def test_what_was_done_is_known(tmp_path):
    images = prepare(noise(4, 6, 6), tmp_path / "out", levels=2, resize=(3, 3))
    assert images.prepared == {"levels": 2, "resize": [3, 3]}
    again = prepare(tmp_path / "out", tmp_path / "again", mode="rgb")
    assert again.prepared == {"levels": 2, "resize": [3, 3], "mode": "rgb"}
    bits = prepare(tmp_path / "out", tmp_path / "third", binarize="threshold")
    assert bits.prepared == {"levels": 2, "resize": [3, 3]} and bits.binarize is None
    assert prepare("digits", tmp_path / "digits").prepared == {} and open_images("digits").prepared == {}
    bits = prepare(noise(4, 6, 6), tmp_path / "bits", binarize="stochastic", seed=3)
    assert bits.binarize == "stochastic" and bits.levels == 2 and not bits.dynamic
    assert bits.prepared == {"binarize": "stochastic", "seed": 3}


def test_levels_and_bits_apply_on_top(tmp_path):
    pixels = noise(30, 4, 4)
    prepare(pixels, tmp_path / "out")
    for wishes in ({"levels": 3}, {"binarize": "stochastic"}, {"binarize": "dynamic", "seed": 2}):
        plain, prepared = open_images(pixels, **wishes), open_images(tmp_path / "out", **wishes)
        for draw in (0, 7):
            assert torch.equal(plain.batch([5, 2, 5], draw=draw), prepared.batch([5, 2, 5], draw=draw))
    assert torch.equal(
        open_images(pixels).mutated(0.5).batch([1, 0], draw=3),
        open_images(tmp_path / "out").mutated(0.5).batch([1, 0], draw=3),
    )


def test_other_sizes_are_refused_with_the_remedy(tmp_path):
    prepare(noise(3, 4, 5), tmp_path / "out")
    with pytest.raises(DataError, match=r"1x4x5.*nextpixel prepare"):
        open_images(tmp_path / "out", resize=(4, 4))
    with pytest.raises(DataError, match=r"1x4x5.*nextpixel prepare"):
        open_images(tmp_path / "out", mode="rgb")
    assert prepare(tmp_path / "out", tmp_path / "small", resize=(4, 4)).image_shape == (1, 4, 4)


def test_vectors_are_matched_by_name_and_stay(tmp_path):
    source = zip_out_of_order(tmp_path)
    names = np.array(["b/c.png", "z.png", "a.png", "b/a.png"])
    np.savez(tmp_path / "v.npz", names=names, vectors=np.arange(8.0).reshape(4, 2))
    prepared = prepare(source, tmp_path / "out", vectors=tmp_path / "v.npz")
    assert torch.equal(prepared.vectors, open_images(source, vectors=tmp_path / "v.npz").vectors)
    with pytest.raises(DataError, match="2 for the 4"):
        prepare(source, tmp_path / "other", vectors=np.zeros((2, 2)))
    assert not (tmp_path / "other").exists()


def test_vectors_that_nobody_asked_for_do_no_harm(tmp_path):
    source = put(tmp_path / "set", {**pngs("a.png", "b.png")})
    np.savez(source / "embeddings.npz", vectors=np.zeros((5, 2)))
    prepared = prepare(source, tmp_path / "out")
    assert prepared.vectors is None and any("without vectors" in note for note in prepared.notes)


def test_labels_of_known_sets_have_their_names(tmp_path):
    same(open_images("digits"), prepare("digits", tmp_path / "out"))


def test_fingerprints_tell_sets_apart(tmp_path):
    pixels = noise(11, 4, 4)
    other = pixels.copy()
    other[10, 3, 3] ^= 1
    first, second = prepare(pixels, tmp_path / "a"), prepare(other, tmp_path / "b")
    labelled = {"images": pixels, "labels": np.arange(11)}
    np.savez(tmp_path / "c.npz", **labelled)
    third = prepare(tmp_path / "c.npz", tmp_path / "c")
    prints = [
        *(each.fingerprint for each in (first, second, third)),
        first.subset(range(10)).fingerprint,
        first.subset([1, 0, *range(2, 11)]).fingerprint,
        open_images(tmp_path / "a", levels=2).fingerprint,
        open_images(tmp_path / "a", binarize="stochastic").fingerprint,
        first.mutated(0.1).fingerprint,
        first.with_condition(torch.arange(11)).fingerprint,
    ]
    assert len(set(prints)) == len(prints)
    assert open_images(tmp_path / "a").fingerprint == first.fingerprint == first.subset(range(11)).fingerprint


def test_a_set_goes_to_another_process_without_its_pixels(tmp_path):
    images = prepare(noise(100, 20, 20), tmp_path / "out")
    data = pickle.dumps(images)
    assert len(data) < 10_000 and torch.equal(pickle.loads(data)[:], images[:])


def test_an_opened_set_holds_no_names_until_they_are_asked_for(tmp_path):
    images = prepare(put(tmp_path / "set", pngs("a.png", "b.png")), tmp_path / "out")
    assert not isinstance(images._table.layout.names, tuple) and images.names == ("a.png", "b.png")


# A zip cannot hold half a surrogate pair.
names = st.text(st.characters(blacklist_categories=("Cs",), blacklist_characters="/\0\\"), min_size=1, max_size=8)


@few
@given(st.lists(names, min_size=1, max_size=6, unique=True))
def test_any_name_survives(tmp_path_factory, stems):
    folder = tmp_path_factory.mktemp("names")
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for stem in stems:
            archive.writestr(f"x{stem}.png", encode(noise(2, 2)))
    (folder / "set.zip").write_bytes(buffer.getvalue())
    prepared = prepare(folder / "set.zip", folder / "out")
    assert prepared.names == open_images(folder / "set.zip").names


# ---------------------------------------------------------------------------------------------- whole or not at all


class Interrupting:
    """A data set that ends in an exception."""

    def __init__(self, exception, count=50):
        self.exception, self.count = exception, count

    def __len__(self):
        return self.count + 1

    def __getitem__(self, index):
        if index == self.count:
            raise self.exception
        return noise(4, 4)


@pytest.mark.parametrize("exception", [KeyboardInterrupt(), RuntimeError("no"), DataError("no")])
def test_an_interruption_leaves_nothing(tmp_path, monkeypatch, exception):
    monkeypatch.setattr("nextpixel.data.preparing.shard_images_for", lambda *_: 7)
    (tmp_path / "place").mkdir()
    with pytest.raises((KeyboardInterrupt, DataError)):
        prepare(Interrupting(exception), tmp_path / "place" / "out")
    assert list((tmp_path / "place").iterdir()) == []


def test_folders_that_hold_files_are_refused(tmp_path):
    put(tmp_path / "out", {"a.txt": "x"})
    with pytest.raises(InputError, match="holds files already"):
        prepare(noise(3, 4, 4), tmp_path / "out")
    (tmp_path / "empty").mkdir()
    assert len(prepare(noise(3, 4, 4), tmp_path / "empty")) == 3


def test_a_folder_inside_the_source_is_refused(tmp_path):
    source = put(tmp_path / "set", pngs("a.png"))
    for out in (source, source / "out", tmp_path / "x" / ".." / "set" / "deep" / "out"):
        with pytest.raises(NextpixelError, match=r"lies inside|holds files"):
            prepare(source, out)
    assert [path.name for path in source.iterdir()] == ["a.png"]


@pytest.mark.parametrize(
    ("wishes", "sentence"),
    [
        ({"binarize": "dynamic"}, "cannot be stored"),
        ({"levels": 300}, "from 2 to 256"),
        ({"shard_mb": 0}, "megabytes"),
        ({"shard_mb": 1.5}, "megabytes"),
        ({"resize": (0, 1)}, "not a size"),
        ({"seed": -1}, "seed"),
    ],
)
def test_wishes_that_cannot_be_met(tmp_path, wishes, sentence):
    with pytest.raises(DataError, match=sentence):
        prepare(noise(3, 4, 4), tmp_path / "out", **wishes)
    assert list(tmp_path.iterdir()) == []


def test_images_that_do_not_fit_together_are_refused(tmp_path):
    source = put(tmp_path / "set", {**pngs("a.png"), "b.png": encode(noise(9, 9))})
    with pytest.raises(DataError, match="different sizes"):
        prepare(source, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_folder_of_images_with_a_manifest_of_its_own_is_a_folder(tmp_path):
    source = put(tmp_path / "set", {**pngs("a.png"), "manifest.json": "{}"})
    assert open_images(source).names == ("a.png",)


def test_skipped_files_beyond_a_thousand_are_counted(tmp_path, monkeypatch):
    monkeypatch.setattr("nextpixel.data.preparing.MOST_SKIPPED", 2)
    source = put(tmp_path / "set", {**pngs("a.png"), **{f"{i}.png": b"damaged" for i in range(5)}})
    prepared = prepare(source, tmp_path / "out")
    assert [name for name, _ in prepared.skipped] == ["0.png", "1.png"]
    assert "3 more files were skipped" in prepared.notes


# ---------------------------------------------------------------------------------------------- memory


def test_memory_does_not_grow_with_the_set(tmp_path, monkeypatch):
    monkeypatch.setattr("nextpixel.data.preparing.BLOCK_BYTES", 1 << 16)
    image = Image.fromarray(noise(64, 64))

    def peak(count, name):
        tracemalloc.start()
        prepare((image for _ in range(count)), tmp_path / name, shard_mb=1)
        found = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return found

    peak(10, "first")
    few_images, many = peak(300, "few"), peak(3000, "many")
    # 2,700 images more are 11 MB of pixels.
    assert many - few_images < 1_000_000


def test_reading_a_batch_allocates_a_batch(tmp_path):
    images = prepare((noise(64, 64, seed=i) for i in range(1000)), tmp_path / "out", shard_mb=1)
    tracemalloc.start()
    for start in range(50):
        images.batch(list(range(start, 1000, 60)))
    assert tracemalloc.get_traced_memory()[1] < 1_000_000
    tracemalloc.stop()

import os
import re
import tarfile
from collections import Counter

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from helpers.image_makers import encode, few, noise, pack, pngs, put
from nextpixel.data import open_images, prepare
from nextpixel.data.sources.folders import file_names
from nextpixel.errors import DataError, InputError
from nextpixel.families.set_condition import specification_for

TEST, TRAIN, VALID = "test", "train", "valid"


def test_images_come_sorted_by_path_and_the_rest_is_ignored(tmp_path):
    files = pngs("b.png", "a/z.PNG", "a/b/c.png", "C.png")
    clutter = {"a.txt": "x", "README.md": "x", ".hidden.png": "x", ".git/a.png": "x", "__MACOSX/a.png": "x"}
    put(tmp_path / "set", {**files, **clutter})
    images = open_images(str(tmp_path / "set"))
    assert images.names == ("C.png", "a/b/c.png", "a/z.PNG", "b.png")
    expected = [noise(4, 5, seed=seed) for seed in (3, 2, 1, 0)]
    assert np.array_equal(images[:].numpy()[:, 0], np.stack(expected))
    assert images.skipped == () and images.labels is None and images.splits == {}
    assert images.name == "set"


def test_folders_are_walked_in_the_order_of_whole_names(tmp_path):
    names = ["a-b/x.png", "a/x.png", "a.png", "a/b/c.png", "a/b.png", "ab/c.png", "a0/c.png"]
    put(tmp_path / "set", pngs(*names))
    assert list(file_names(tmp_path / "set", Counter())) == sorted(names)


@pytest.mark.parametrize(
    "suffix",
    [
        "png",
        "JPG",
        "jpeg",
        "jpe",
        "jfif",
        "webp",
        "bmp",
        "gif",
        "tif",
        "TIFF",
        "ppm",
        "pgm",
        "pbm",
        "pnm",
        "tga",
        "avif",
        "jxl",
        "heic",
        "heif",
    ],
)
def test_every_extension_is_looked_at(tmp_path, suffix):
    put(tmp_path / "set", {f"image.{suffix}": encode(noise(4, 5))})
    assert len(open_images(tmp_path / "set")) == 1


names = st.text("abcdeé ß", min_size=1, max_size=3).map(str.strip).filter(bool)


@few
@given(
    st.dictionaries(names, st.lists(names, min_size=1, max_size=3, unique=True), min_size=2, max_size=4),
    st.sampled_from(["", "wrapper/", "deep/deeper/"]),
)
def test_class_folders_are_labels(tmp_path_factory, classes, wrapper):
    folder = tmp_path_factory.mktemp("set")
    put(folder, pngs(*(f"{wrapper}{label}/{name}.png" for label, files in classes.items() for name in files)))
    images = open_images(folder)
    assert images.label_names == tuple(sorted(classes))
    assert images.names == tuple(sorted(images.names))
    for name, label in zip(images.names, images.labels.tolist(), strict=True):
        assert name.startswith(f"{wrapper}{images.label_names[label]}/")


@few
@given(st.lists(st.tuples(st.sampled_from("xyz"), st.integers(0, 2), names), min_size=2, max_size=12, unique=True))
def test_splits_share_one_mapping_of_labels(tmp_path_factory, files):
    folder = tmp_path_factory.mktemp("set")
    split_names = {"x": "Train", "y": "validation", "z": "test"}
    paths = [f"{split_names[split]}/class{label}/{name}.png" for split, label, name in files]
    put(folder, pngs(*paths))
    images = open_images(folder)
    sizes = {name: sum(f[0] == letter for f in files) for letter, name in zip("xyz", (TRAIN, VALID, TEST), strict=True)}
    assert images.splits == {name: size for name, size in sizes.items() if size}
    assert list(images.splits) == [name for name in (TRAIN, VALID, TEST) if name in images.splits]
    classes = sorted({label for _, label, _ in files})
    if len(classes) > 1 or len(images.splits) >= 1:
        assert images.label_names == tuple(f"class{label}" for label in classes)
    for name in images.splits:
        part = images.split(name)
        assert torch.equal(open_images(folder, split=name)[:], part[:])
        for path, label in zip(part.names, part.labels.tolist(), strict=True):
            assert f"/{images.label_names[label]}/" in path
            assert path.lower().startswith({VALID: "validation"}.get(name, name))


def test_split_folders_by_any_name_are_merged(tmp_path):
    put(tmp_path / "set", pngs("val/a.png", "validation/b.png", "valid/c.png", "train/d.png"))
    images = open_images(tmp_path / "set")
    assert images.splits == {"train": 1, "valid": 3}
    assert images.names[0] == "train/d.png" and images.labels is None


def test_train_may_be_a_class(tmp_path):
    put(tmp_path / "set", pngs("train/a.png", "car/b.png"))
    images = open_images(tmp_path / "set")
    assert images.splits == {} and images.label_names == ("car", "train")


def test_uneven_folders_are_no_labels(tmp_path):
    put(tmp_path / "set", pngs("a/b.png", "b/c.png", "d.png"))
    images = open_images(tmp_path / "set")
    assert images.labels is None and "no labels" in images.notes[0]


def test_labels_stay_with_images_when_some_are_skipped(tmp_path):
    files = pngs("a/1.png", "a/2.png", "b/1.png", "c/1.png")
    put(tmp_path / "set", {**files, "a/1.png": b"damaged", "b/1.png": b"damaged"})
    images = open_images(tmp_path / "set")
    assert images.names == ("a/2.png", "c/1.png")
    assert images.labels.tolist() == [0, 2] and images.label_names == ("a", "b", "c")
    assert [name for name, _ in images.skipped] == ["a/1.png", "b/1.png"]


def test_links_are_followed_but_not_in_circles(tmp_path):
    put(tmp_path / "other", pngs("a.png"))
    put(tmp_path / "set", pngs("b/c.png"))
    (tmp_path / "set" / "linked").symlink_to(tmp_path / "other")
    (tmp_path / "set" / "b" / "circle").symlink_to(tmp_path / "set")
    (tmp_path / "set" / "gone.png").symlink_to(tmp_path / "nowhere")
    images = open_images(tmp_path / "set")
    assert images.names == ("b/c.png", "linked/a.png")
    assert [name for name, _ in images.skipped] == ["gone.png"] and "link to a file" in images.skipped[0][1]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
def test_a_pipe_is_not_waited_for(tmp_path):
    put(tmp_path / "set", pngs("a.png"))
    os.mkfifo(tmp_path / "set" / "b.png")
    images = open_images(tmp_path / "set")
    assert images.names == ("a.png",) and images.notes == ("passed over 1 no regular file, which are not read",)
    with pytest.raises(DataError, match="neither a file"):
        open_images(tmp_path / "set" / "b.png")


def test_what_is_passed_over_is_counted_by_its_ending(tmp_path):
    others = {"a.jp2": "x", "b.jp2": "x", "c.psd": "x", "photo": "x", "thumbs/@eaDir/a.png/t.jpg": "x"}
    silent = {"notes.txt": "x", "LICENSE": "x", "._a.png": "x", "boxes.json": "x", ".git/a.png": "x"}
    put(tmp_path / "set", {**pngs("a.png"), **others, **silent, ".b.png": "x"})
    note = "passed over 2 .jp2, 1 .psd, 1 {}, 1 hidden, 1 without an ending, which are not read"
    assert open_images(tmp_path / "set").notes == (note.format("folder @eaDir"),)
    (tmp_path / "set/d.psd").write_text("x")
    assert "2 .psd" in open_images(tmp_path / "set").notes[0]
    files = {
        path.relative_to(tmp_path / "set").as_posix(): path for path in (tmp_path / "set").rglob("*") if path.is_file()
    }
    (tmp_path / "set/d.psd").unlink()
    del files["d.psd"]
    for mode, name in ((None, "set.zip"), ("w:gz", "set.tar.gz")):
        packed = pack(tmp_path / name, {key: path.read_bytes() for key, path in files.items()}, mode)
        note_of_archive = "passed over 2 .jp2, 1 .psd, 1 hidden, 1 in @eaDir, 1 without an ending, which are not read"
        assert open_images(packed).notes == (note_of_archive,)


def test_links_in_archives_are_told(tmp_path):
    put(tmp_path / "set", pngs("a.png"))
    os.link(tmp_path / "set/a.png", tmp_path / "set/b.png")
    (tmp_path / "set/c.png").symlink_to("a.png")
    with tarfile.open(tmp_path / "set.tar", "w") as archive:
        archive.add(tmp_path / "set", "set")
    images = open_images(tmp_path / "set.tar")
    assert len(images) == 1 and len(images.skipped) == 2
    assert all("link in the archive" in reason for _, reason in images.skipped)
    assert len(open_images(tmp_path / "set")) == 3


def test_one_image_file(tmp_path):
    put(tmp_path, pngs("photo.png"))
    images = open_images(tmp_path / "photo.png")
    assert images.names == ("photo.png",) and images.image_shape == (1, 4, 5)


def test_a_file_too_large_is_skipped(tmp_path, monkeypatch):
    monkeypatch.setattr("nextpixel.data.entries.MAX_FILE_BYTES", 1000)
    put(tmp_path / "set", {**pngs("a.png"), "b.png": bytes(2000)})
    assert "2000 bytes" in open_images(tmp_path / "set").skipped[0][1]


@pytest.mark.parametrize("name", ["", "set", "digit", "a\0b", "x" * 5000])
def test_what_is_not_there(tmp_path, monkeypatch, name):
    monkeypatch.chdir(put(tmp_path / "empty", {"a.txt": "x"}))
    with pytest.raises(DataError, match=r"neither a file|no images"):
        open_images(name)


def test_what_is_not_understood(tmp_path):
    put(tmp_path, {"a.mp4": "x" * 100})
    with pytest.raises(DataError, match=r"a\.mp4 is of no kind"):
        open_images(tmp_path / "a.mp4")


# ---------------------------------------------------------------------------------------------- metadata


def test_metadata_overrides_folders_and_sorts_texts(tmp_path):
    put(
        tmp_path / "set",
        {**pngs("a/1.png", "b/2.png"), "metadata.csv": "file_name,label\nb/2.png,ant\na/1.png,bee\n"},
    )
    images = open_images(tmp_path / "set")
    assert images.label_names == ("ant", "bee") and images.labels.tolist() == [1, 0]


@pytest.mark.parametrize("kind", ["csv", "jsonl"])
def test_integers_stay_as_they_are(tmp_path, kind):
    text = {
        "csv": "\ufefffile_name,label,more\r\na.png,7,x\r\nb.png,3,y\r\n",
        "jsonl": '{"file_name": "b.png", "label": 3}\n\n{"file_name": "./a.png", "label": 7}',
    }
    put(tmp_path / "set", {**pngs("a.png", "b.png"), f"metadata.{kind}": text[kind]})
    images = open_images(tmp_path / "set")
    assert images.label_names is None and images.labels.tolist() == [7, 3]


def test_texts_of_digits_in_json_are_texts(tmp_path):
    lines = '{"file_name": "a.png", "label": "7"}\n{"file_name": "b.png", "label": "10"}'
    put(tmp_path / "set", {**pngs("a.png", "b.png"), "metadata.jsonl": lines})
    images = open_images(tmp_path / "set")
    assert images.label_names == ("10", "7") and images.labels.tolist() == [1, 0]


def test_each_split_may_have_its_own_table(tmp_path):
    put(tmp_path / "set", pngs("train/a.png", "train/b.png", "test/a.png"))
    put(tmp_path / "set/train", {"metadata.csv": "file_name,label\na.png,x\nb.png,y"})
    put(tmp_path / "set/test", {"metadata.jsonl": '{"file_name": "a.png", "label": "y"}'})
    images = open_images(tmp_path / "set")
    assert images.splits == {"train": 2, "test": 1}
    assert images.labels.tolist() == [0, 1, 1] and images.label_names == ("x", "y")


def test_a_table_without_labels_leaves_those_of_folders(tmp_path):
    put(
        tmp_path / "set",
        {**pngs("x/a.png", "y/b.png"), "metadata.csv": "file_name,text\nx/a.png,hi\ny/b.png,ho\n"},
    )
    assert open_images(tmp_path / "set").label_names == ("x", "y")


def test_damaged_images_may_have_rows(tmp_path):
    table = "file_name,label\na.png,x\nb.png,y\n"
    put(tmp_path / "set", {**pngs("a.png"), "b.png": b"damaged", "metadata.csv": table})
    assert open_images(tmp_path / "set").labels.tolist() == [0]


BAD_TABLES = {
    "row of a missing file": ("csv", "file_name,label\na.png,x\nb.png,y\ngone.png,x\n", r"gone\.png"),
    "image without a row": ("csv", "file_name,label\na.png,x\n", r"b\.png"),
    "two rows": ("csv", "file_name,label\na.png,x\na.png,x\nb.png,x\n", "row already"),
    "no column": ("csv", "file,label\na.png,x\n", "no column file_name"),
    "nothing": ("csv", "", "no column file_name"),
    "semicolons": ("csv", "file_name;label\na.png;x\n", "is divided by semicolons: save it with commas"),
    "no label": ("csv", "file_name,label\na.png,x\nb.png,\n", r"b\.png.*has no label"),
    "short row": ("csv", "file_name,label\na.png,x\nb.png\n", r"b\.png.*has no label"),
    "no name": ("csv", "file_name,label\na.png,x\n,x\n", "row 2 has no file_name"),
    "negative": ("csv", "file_name,label\na.png,-1\nb.png,2\n", "-1"),
    "too large": ("csv", "file_name,label\na.png,9999999999999999999\nb.png,2\n", "9999999999999999999"),
    "not text": ("csv", b"\xff\xfe\x00", "UTF-8"),
    "endless field": ("csv", "file_name,label\na.png," + "x" * 200_000, "CSV"),
    "not json": ("jsonl", "{", "line 1"),
    "not an object": ("jsonl", "[1]", "line 1"),
    "deep json": ("jsonl", "[" * 100_000, "line 1"),
    "long number": ("jsonl", "1" * 10_000, "line 1"),
    "fraction": (
        "jsonl",
        '{"file_name": "a.png", "label": 0.5}\n{"file_name": "b.png", "label": 1}',
        "line 1.*0.5",
    ),
    "no json label": ("jsonl", '{"file_name": "a.png", "label": 1}\n{"file_name": "b.png"}', r"b\.png.*has no label"),
    "json name": ("jsonl", '{"file_name": 3, "label": 1}', "no file_name"),
    "huge integer": (
        "jsonl",
        '{"file_name": "a.png", "label": 1}\n{"file_name": "b.png", "label": 99999999999999999999999}',
        "9999",
    ),
}


FOREIGN = ("no column", "nothing", "not text", "endless field", "not json", "not an object", "deep json", "long number")
"""Tables of which nothing says that they are of images."""


@pytest.mark.parametrize("case", BAD_TABLES)
def test_bad_tables_stop_nobody_but_those_who_want_what_they_say(tmp_path, case):
    kind, text, message = BAD_TABLES[case]
    # A table of too many rows is not read to its end.
    message = f"{message}|more rows than there are images"
    put(tmp_path / "set", {**pngs("a.png", "b.png"), f"metadata.{kind}": text})
    images = open_images(tmp_path / "set")
    assert len(images) == 2 and images.labels is None
    assert re.search(message, " ".join(images.notes))
    with pytest.raises(InputError, match="has no labels" if case in (*FOREIGN, "json name") else message):
        specification_for(images, ["labels"])
    assert specification_for(images, []) is None


def test_a_table_of_something_else_leaves_the_labels_of_folders(tmp_path):
    tables = {"metadata.csv": "id,score\n1,0.5\n", "x/metadata.csv": "file_name,label\nother.png,z\n"}
    put(tmp_path / "set", {**pngs("x/a.png", "y/b.png"), **tables})
    images = open_images(tmp_path / "set")
    assert images.label_names == ("x", "y") and images.labels_error is None
    assert [note.split(",")[0] for note in images.notes] == ["read without metadata.csv", "read without x/metadata.csv"]


def test_blanks_after_commas_are_no_part_of_names_or_labels(tmp_path):
    table = "file_name, label, vector\na.png, bee , 1 2\nb.png, ant, 3 4\n"
    put(tmp_path / "set", {**pngs("a.png", "b.png"), "metadata.csv": table})
    images = open_images(tmp_path / "set")
    assert images.label_names == ("ant", "bee") and images.labels.tolist() == [1, 0]
    assert images.vectors.tolist() == [[1, 2], [3, 4]]


def test_a_number_with_a_leading_zero_is_a_name(tmp_path):
    put(tmp_path / "set", {**pngs("a.png", "b.png"), "metadata.csv": "file_name,label\na.png,01\nb.png,1\n"})
    images = open_images(tmp_path / "set")
    assert images.label_names == ("01", "1") and images.labels.tolist() == [0, 1]


def test_accents_are_compared_however_they_are_written(tmp_path):
    composed, decomposed = "caf\u00e9", "cafe\u0301"
    table = f"file_name,label\n{composed}.png,{decomposed}\ntea.png,tea\n"
    put(tmp_path / "set", {**pngs(f"{decomposed}.png", "tea.png"), "metadata.csv": table})
    images = open_images(tmp_path / "set")
    assert images.label_names == (composed, "tea") and images.labels.tolist() == [0, 1]
    put(tmp_path / "other", pngs(f"train/{composed}/a.png", "train/tea/b.png", f"test/{decomposed}/c.png"))
    images = open_images(tmp_path / "other")
    assert images.label_names == (composed, "tea") and images.labels.tolist() == [0, 1, 0]


@pytest.mark.parametrize(
    "folders",
    [
        ("train2017", "val2017", "test2017"),
        ("Training", "Validation", "Testing"),
        ("training_set", "dev_set", "test_set"),
        ("train-images", "valid-images", "test-images"),
        ("seg_train", "seg_val", "seg_test"),
        ("train", "eval", "test"),
    ],
)
def test_splits_have_the_names_of_usual_sets(tmp_path, folders):
    put(tmp_path / "set", pngs(*(f"{folder}/{kind}/{kind}.png" for folder in folders for kind in "ab")))
    images = open_images(tmp_path / "set")
    assert images.splits == {"train": 2, "valid": 2, "test": 2} and images.label_names == ("a", "b")
    assert all(name.startswith(folders[0]) for name in images.split("train").names)


def test_a_flat_test_folder_leaves_the_labels_of_the_others(tmp_path):
    put(tmp_path / "set", pngs("train/a/1.png", "train/b/2.png", "test/3.png"))
    images = open_images(tmp_path / "set")
    assert images.label_names == ("a", "b") and images.split("train").labels.tolist() == [0, 1]
    assert images.labels is None and images.split("test").labels is None
    assert images.notes == ("no labels for test, whose images lie in no class folders",)
    again = prepare(tmp_path / "set", tmp_path / "prepared")
    assert again.split("train").labels.tolist() == [0, 1] and again.split("test").labels is None


def test_labels_for_some_splits_only(tmp_path):
    put(tmp_path / "set", pngs("train/a.png", "test/a.png"))
    put(tmp_path / "set/train", {"metadata.csv": "file_name,label\na.png,x"})
    put(tmp_path / "set/test", {"metadata.csv": "file_name\na.png"})
    images = open_images(tmp_path / "set")
    assert images.split("train").labels.tolist() == [0] and images.split("test").labels is None
    assert images.notes == ("no labels for test, of which the metadata name no classes",)


def test_a_test_folder_beside_other_images_is_not_trained_on_in_silence(tmp_path):
    put(tmp_path / "set", {"test/a.png": encode(noise(4, 5)), "cats/b.png": encode(noise(4, 5))})
    with pytest.raises(DataError, match=r"folder test, but cats/b\.png"):
        open_images(tmp_path / "set")

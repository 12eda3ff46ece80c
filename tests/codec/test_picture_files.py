"""What `compress` packs, and what stops it."""

import numpy as np
import pytest
from PIL import Image

from helpers.image_makers import encode, noise, pngs, put
from nextpixel.codec.picture_files import read_pictures
from nextpixel.errors import DataError


def test_folders_are_walked_as_for_training(tmp_path):
    put(tmp_path, pngs("real/x.png", "set/a.png", "set/deep/b.png"))
    put(tmp_path / "set", {"._a.png": b"\0\5\x16\7" + bytes(100), "notes.txt": "x"})
    (tmp_path / "set/more").symlink_to("../real")
    pictures = read_pictures([tmp_path / "set"], 256)
    assert pictures.names == ["a.png", "deep/b.png", "more/x.png"] and pictures.notes == []


def test_equal_names_of_two_folders_are_kept_apart_by_theirs(tmp_path):
    put(tmp_path, pngs("a/000.png", "b/000.png", "c/a/000.png"))
    assert read_pictures([tmp_path / "a"], 256).names == ["000.png"]
    assert read_pictures([tmp_path / "a", tmp_path / "b"], 256).names == ["a/000.png", "b/000.png"]
    names = read_pictures([tmp_path / "a", tmp_path / "c/a"], 256).names
    assert len(set(names)) == 2 and all(name.endswith("a/000.png") for name in names)


OTHERS = {
    "a.gif": (encode(noise(4, 5)), None),
    "animated": (b"", "without an ending"),
    "b.jp2": (b"x", r"1 \.jp2"),
    ".hidden.png": (encode(noise(4, 5)), "1 hidden"),
    "broken.png": (b"x", "broken.png is not an image"),
    "deep.png": (
        encode(np.full((4, 5), 999, np.uint16)),
        "deep.png has 16 bits a channel, of which .npx files hold 8;",
    ),
    "12:30:00.png": (encode(noise(4, 5)), "no plain relative name"),
}


@pytest.mark.parametrize("name", OTHERS)
def test_what_cannot_be_packed_stops_unless_it_may_be_skipped(tmp_path, name):
    data, message = OTHERS[name]
    put(tmp_path / "set", {**pngs("z.png"), name: data})
    if message is None:
        assert len(read_pictures([tmp_path / "set"], 256).images) == 2
        return
    with pytest.raises(DataError, match=message) as reason:
        read_pictures([tmp_path / "set"], 256)
    assert "--skip" in str(reason.value)
    pictures = read_pictures([tmp_path / "set"], 256, skip=True)
    assert pictures.names == ["z.png"] and "left out" in " ".join(pictures.notes)
    (tmp_path / "set/z.png").unlink()
    with pytest.raises(DataError, match="no pictures there"):
        read_pictures([tmp_path / "set"], 256, skip=True)


def test_the_bytes_of_files_are_kept_when_asked_for(tmp_path):
    Image.new("L", (4, 4), 7).save(tmp_path / "a.png")
    exif = Image.Exif()
    exif[0x010E] = "a description"
    Image.new("L", (4, 4), 7).save(tmp_path / "b.jpg", exif=exif)
    pictures = read_pictures([tmp_path], 256, keep_files=True)
    assert pictures.files == [(name, (tmp_path / name).read_bytes()) for name in ("a.png", "b.jpg")]
    assert pictures.names == ["a.png", "b.png"] and pictures.with_metadata == [False, True]
    assert pictures.file_bytes == sum(len(data) for _, data in pictures.files)
    assert read_pictures([tmp_path], 256).files == []


def test_names_that_differ_in_case_only_are_named_as_the_user_knows_them(tmp_path):
    put(tmp_path, pngs("set/a.png", "set/A.png", "other/b.png"))
    with pytest.raises(DataError, match=r"the name 'a.png' stands for two files"):
        read_pictures([tmp_path / "set", tmp_path / "other"], 256)


def test_a_name_of_two_lines_is_told_in_one(tmp_path):
    put(tmp_path, pngs("a\nb.png"))
    with pytest.raises(DataError, match=r"a\\nb.png.*rename it") as refusal:
        read_pictures([tmp_path], 256)
    assert "\n" not in str(refusal.value)

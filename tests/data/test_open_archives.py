import gzip
import io
import random
import tarfile

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from helpers.image_makers import encode, few, noise, pack, pngs, put
from nextpixel.data import open_images
from nextpixel.errors import DataError

FILES = {
    **pngs("train/ant/b.png", "train/ant/a.png", "train/bee/a.png", "test/ant/z.png", "val/bee/c.png"),
    "train/bee/broken.jpg": b"broken",
    "notes.txt": b"text",
    ".hidden/x.png": b"x",
}
MODES = {"zip": None, "tar": "w", "tar.gz": "w:gz", "tgz": "w:gz", "tar.bz2": "w:bz2", "tar.xz": "w:xz"}


@pytest.mark.parametrize("kind", MODES)
@pytest.mark.parametrize("prefix", ["", "./", "wrapper/", "../../"])
def test_an_archive_is_its_folder(tmp_path, kind, prefix):
    order = list(FILES)
    random.Random(kind).shuffle(order)
    path = pack(tmp_path / f"set.{kind}", {name: FILES[name] for name in order}, MODES[kind], prefix)
    folder = open_images(put(tmp_path / "set", FILES))
    images = open_images(path)
    assert images.splits == folder.splits == {"train": 3, "valid": 1, "test": 1}
    assert torch.equal(images[:], folder[:]) and torch.equal(images.labels, folder.labels)
    assert images.label_names == folder.label_names == ("ant", "bee")
    bare = tuple(name.removeprefix("wrapper/") for name in images.names)
    assert bare == folder.names
    assert [reason for _, reason in images.skipped] == [reason for _, reason in folder.skipped]
    assert images.fingerprint == folder.fingerprint
    assert images.name == f"set.{kind}"
    assert {p.name for p in tmp_path.iterdir()} == {"set", f"set.{kind}", "own cache"}
    assert torch.equal(open_images(path, split="train")[:], folder.split("train")[:])


@few
@given(st.permutations(range(6)), st.sampled_from(["zip", "tar.gz"]))
def test_the_order_of_members_does_not_matter(tmp_path, order, kind):
    files = pngs(*(f"{i}.png" for i in range(6)))
    path = pack(tmp_path / f"{order}.{kind}", {f"{i}.png": files[f"{i}.png"] for i in order}, MODES[kind])
    images = open_images(path)
    assert images.names == tuple(files)
    assert all(torch.equal(images[i][0], torch.from_numpy(noise(4, 5, seed=i))) for i in range(6))


@pytest.mark.parametrize("kind", MODES)
def test_metadata_in_archives(tmp_path, kind):
    files = {**pngs("in/a.png", "in/b.png"), "in/metadata.csv": b"file_name,label\na.png,4\nb.png,2\n"}
    assert open_images(pack(tmp_path / f"s.{kind}", files, MODES[kind])).labels.tolist() == [4, 2]


def test_two_members_of_one_name(tmp_path):
    path = tmp_path / "s.tar"
    with tarfile.open(path, "w") as archive:
        for seed in range(2):
            data = encode(noise(4, 5, seed=seed))
            info = tarfile.TarInfo("a.png")
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    with pytest.raises(DataError, match=r"two files named a\.png"):
        open_images(path)


def test_links_and_devices_in_a_tar_are_not_images(tmp_path):
    path = pack(tmp_path / "s.tar", pngs("a.png"), "w")
    with tarfile.open(path, "a") as archive:
        for kind in (tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE, tarfile.DIRTYPE):
            info = tarfile.TarInfo(f"{kind.decode()}.png")
            info.type, info.linkname = kind, "/etc/passwd"
            archive.addfile(info)
    assert open_images(path).names == ("a.png",)


def test_encrypted_archives_are_refused(tmp_path):
    path = pack(tmp_path / "s.zip", pngs("a.png"), None)
    data = bytearray(path.read_bytes())
    data[data.index(b"PK\1\2") + 8] |= 1
    path.write_bytes(data)
    with pytest.raises(DataError, match=r"a\.png in .* is encrypted"):
        open_images(path)


def test_one_damaged_zip_member_is_skipped(tmp_path):
    path = pack(tmp_path / "s.zip", pngs("a.png", "b.png"), None)
    data = bytearray(path.read_bytes())
    data[60] ^= 0xFF
    path.write_bytes(data)
    images = open_images(path)
    assert images.names == ("b.png",) and images.skipped[0][0] == "a.png"


@pytest.mark.parametrize("kind", MODES)
def test_truncated_archives_never_lose_images_silently(tmp_path, kind):
    whole = pack(
        tmp_path / f"whole.{kind}", pngs(*(f"{i}.png" for i in range(5)), size=(9, 9)), MODES[kind]
    ).read_bytes()
    end = len(whole) if kind != "tar" else len(whole.rstrip(b"\0"))
    for i, cut in enumerate(range(0, end, max(1, end // 12))):
        path = tmp_path / f"{i}.{kind}"
        path.write_bytes(whole[:cut])
        # A plain tar cut exactly between two members looks complete to every reader of the format.
        if kind == "tar" and cut % 512 == 0 and cut:
            continue
        with pytest.raises(DataError, match=path.name):
            open_images(path)


def test_a_tar_with_one_damaged_header_is_an_error(tmp_path):
    path = pack(tmp_path / "s.tar", pngs("a.png", "b.png"), "w")
    data = bytearray(path.read_bytes())
    data[data.index(b"b.png")] ^= 1
    path.write_bytes(data)
    with pytest.raises(DataError, match="damaged"):
        open_images(path)


def test_bombs_are_stopped(tmp_path, monkeypatch):
    monkeypatch.setattr("nextpixel.data.sources.archives.MIN_EXPANDED_BYTES", 1 << 16)
    files = {**pngs("a.png"), "b.bin": bytes(1 << 24)}
    with pytest.raises(DataError, match="expands"):
        open_images(pack(tmp_path / "s.tar.gz", files, "w:gz"))
    monkeypatch.setattr("nextpixel.data.entries.MAX_FILE_BYTES", 1 << 16)
    files = {**pngs("a.png"), "b.png": bytes(1 << 24)}
    assert "16777216 bytes" in open_images(pack(tmp_path / "s.zip", files, None)).skipped[0][1]


@pytest.mark.parametrize("name", ["s.zip", "s.tar", "s.tar.gz", "s.tgz", "s.npz", "s.tar.xz", "s.tar.bz2"])
@pytest.mark.parametrize(
    "content", [b"", b"x", b"\0" * 1024, gzip.compress(b"x" * 99, mtime=0), b"BZh9x", b"\xfd7zXZ\x00x"]
)
def test_what_is_no_archive(tmp_path, name, content):
    put(tmp_path, {name: content})
    with pytest.raises(DataError, match="s"):
        open_images(tmp_path / name)

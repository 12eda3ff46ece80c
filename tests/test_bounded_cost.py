"""What a few bytes declare is refused before memory and time are taken for it."""

import io
import json
import lzma
import struct
import tarfile
import tracemalloc
import zipfile
import zlib
from contextlib import contextmanager

import numpy as np
import pytest
from PIL import Image

import nextpixel as nx
from helpers.image_makers import pngs
from helpers.tiny_models import tiny
from nextpixel.cli.app import run
from nextpixel.codec.container import FREE_SUB_PIXELS, MOST_RATIO, Contents, read, write
from nextpixel.data.decode import decode
from nextpixel.data.entries import Unusable

MB = 2**20


@contextmanager
def at_most(size):
    """Python's own memory stays below."""
    tracemalloc.start()
    try:
        yield
        assert tracemalloc.get_traced_memory()[1] < size
    finally:
        tracemalloc.stop()


@pytest.fixture
def folder(tmp_path):
    tiny("gated-pixelcnn").save(tmp_path / "model")
    return tmp_path / "model"


@pytest.mark.parametrize(
    ("part", "value"),
    [
        ("layers", "x" * 500),
        ("layers", [0] * 300),
        ("layers", {"a": 1}),
        ("layers", 1e300),
        ("features", "9"),
        ("features", [[1]]),
        ("kernel_size", [3] * 1000),
        ("scales", "yy"),
    ],
)
def test_options_of_other_types_are_not_multiplied(folder, part, value):
    config = json.loads((folder / "config.json").read_text())
    config["model"]["options"] |= {"layers": 2**26, part: value} if part != "layers" else {part: value, "scales": 2**26}
    (folder / "config.json").write_text(json.dumps(config))
    resealed(folder)
    with at_most(50 * MB), pytest.raises(nx.ModelError, match=r"config\.json"):
        nx.load(folder)


@pytest.mark.parametrize(
    "change",
    [
        {"image_shape": "abc"},
        {"image_shape": [1, 3, "4"]},
        {"image_shape": [1, 3, True]},
        {"image_shape": None},
        {"levels": "3"},
        {"levels": [3]},
        {"family": ["gated-pixelcnn"]},
        {"family": None},
        {"options": []},
        {"options": "layers"},
        {"condition": 7},
        {"condition": [[]]},
        {"condition": {"several": 5}},
        {"condition": {"kind": "Vector", "size": "9" * 50}},
        {"condition": {"kind": "Map", "channels": [1] * 99, "size": [2**40, 2**40]}},
    ],
)
def test_descriptions_of_other_types_are_refused(folder, change):
    config = json.loads((folder / "config.json").read_text())
    config["model"] |= change
    (folder / "config.json").write_text(json.dumps(config))
    resealed(folder)
    with at_most(50 * MB), pytest.raises(nx.ModelError):
        nx.load(folder)


def resealed(folder):
    """The digest of a description and its weights, as whoever writes a hostile folder would compute it."""
    from safetensors.torch import load, save

    from nextpixel.model_files.format import fingerprint

    tensors = load((folder / "model.safetensors").read_bytes())
    description = json.loads((folder / "config.json").read_text())["model"]
    digest = fingerprint(description, tensors)
    (folder / "model.safetensors").write_bytes(save(tensors, {"sha256": digest}))


def declaring(shapes, blocks):
    return write(Contents(bytes(8), 2, [], 0, shapes, blocks))


def test_a_small_file_cannot_declare_much():
    for shapes in ([(1, 2**13, 2**13)], [(1, 1, 1)] * 400, [(1, 8, 8)] * 400):
        data = declaring(shapes, [[b""]])
        with at_most(5 * MB), pytest.raises(nx.DataError, match="most_sub_pixels"):
            read(data)
        assert read(data, 10**9).shapes == shapes


def test_what_a_file_can_plausibly_hold_is_read():
    data = declaring([(1, 2**8, 2**8 - 1)], [[b""]])
    assert FREE_SUB_PIXELS + MOST_RATIO * len(data) > 2**16
    assert read(data).shapes == [(1, 256, 255)]


def test_the_model_in_a_file_does_not_count():
    contents = Contents(bytes(8), 2, [], 0, [(1, 2**12, 2**10)], [[b""]], model={"config.json": bytes(10**5)})
    with pytest.raises(nx.DataError, match="most_sub_pixels"):
        read(write(contents))


def test_list_decodes_nothing(tmp_path, capsys):
    data = write(Contents(bytes(8), 2, [], 0, [(1, 8, 9), (3, 2, 2)], [[b"", b""]], names=["a.png", "b\x1b.png"]))
    (tmp_path / "a.npx").write_bytes(data)
    assert run(["decompress", str(tmp_path / "a.npx"), "--list"]) == 2
    (tmp_path / "a.npx").write_bytes(
        write(Contents(bytes(8), 2, [], 0, [(1, 8, 9), (3, 2, 2)], [[b"", b""]], names=["a.png", "b/c"]))
    )
    capsys.readouterr()
    assert run(["decompress", str(tmp_path / "a.npx"), "--list"]) == 0
    out = capsys.readouterr().out
    assert "a.png: 1 x 8 x 9" in out and "b/c.png: 3 x 2 x 2" in out and "84 sub-pixels in 2 lanes" in out
    assert run(["decompress", str(tmp_path / "a.npx")]) == 2
    assert "--list" in capsys.readouterr().err


def compressed_tar(path, members):
    with lzma.open(path, "wb") as file, tarfile.open(fileobj=file, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for info, content in members:
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return path


def test_long_names_and_attributes_in_a_tar(tmp_path):
    picture = pngs("a.png")["a.png"]
    for number in range(2):
        member = tarfile.TarInfo("a" * (3 * MB) + ".png" if number else "a.png")
        member.pax_headers = {} if number else {"comment": "x" * (3 * MB)}
        path = compressed_tar(tmp_path / f"{number}.tar.xz", [(member, picture)])
        with at_most(30 * MB), pytest.raises(nx.DataError, match="name or the attributes"):
            nx.open_images(path, cache=tmp_path / "cache")


@pytest.mark.parametrize("kind", ["zip", "tar"])
@pytest.mark.parametrize("table", ["metadata.csv", "metadata.jsonl"])
def test_a_table_far_larger_than_its_archive(tmp_path, kind, table):
    content = b"file_name,label\n" + b"," * (20 * MB)
    if kind == "zip":
        path = tmp_path / "set.zip"
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr(table, content)
            archive.writestr("a.png", pngs("a.png")["a.png"])
    else:
        path = compressed_tar(tmp_path / "set.tar.xz", [(tarfile.TarInfo(table), content)])
    with at_most(70 * MB), pytest.raises(nx.DataError, match="expands to"):
        nx.open_images(path, cache=tmp_path / "cache")


@pytest.mark.parametrize("table", ["metadata.csv", "metadata.jsonl"])
def test_a_table_of_more_rows_than_images(tmp_path, table):
    csv = "file_name,label\n" + "".join(f"{number}.png,1\n" for number in range(200_000))
    lines = "".join(f'{{"file_name": "{number}.png"}}\n' for number in range(200_000))
    with zipfile.ZipFile(tmp_path / "set.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(table, csv if table.endswith("csv") else lines)
        archive.writestr("0.png", pngs("0.png")["0.png"])
    with at_most(60 * MB):
        images = nx.open_images(tmp_path / "set.zip", cache=tmp_path / "cache")
    assert len(images) == 1 and images.labels is None


def test_a_picture_is_refused_by_its_header():
    width = 9000
    raw = zlib.compress(bytes((width + 1) * width), 9)

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, width, 8, 0, 0, 0, 0)
    data = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", raw) + chunk(b"IEND", b"")
    del raw
    loads = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Image.Image, "load", lambda self: loads.append(self))
        with pytest.raises(Unusable, match="more than 16,777,216 pixels"):
            decode("a.png", data, most_pixels=2**24)
    assert not loads
    small = decode("a.png", pngs("a.png")["a.png"], most_pixels=2**24)
    assert np.asarray(small.pixels).ndim == 3

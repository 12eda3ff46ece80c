"""Every value in a file has one spelling, and what `docs/reference/format.md` says is refused, is."""

import zlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from helpers.image_makers import encode
from helpers.tiny_models import sharper, tiny
from nextpixel.codec import container
from nextpixel.codec.adaptation import Change, from_bytes, to_bytes
from nextpixel.codec.container import DEFLATE, PNG, WEBP, Contents, deflate, read, varint, write
from nextpixel.codec.stored_pictures import restored
from nextpixel.coding.colour_lattices import OnLattice
from nextpixel.errors import DataError
from nextpixel.model_files.stored import stored_model

GOLDEN = Path(__file__).parent / "golden"


def contents(**changes):
    return replace(Contents(bytes(8), 2, [], 0, [(1, 2, 3), (1, 3, 2)], [[b""], [b""]], version=1), **changes)


def on_lattices(**changes):
    lattices = {0: OnLattice(1, 9), 1: OnLattice(3, 0)}
    shapes = [(3, 2, 3), (4, 3, 2)]
    return contents(**{"version": 5, "levels": 256, "shapes": shapes, "lattices": lattices} | changes)


def sealed(body):
    return body + zlib.crc32(body).to_bytes(4, "little")


def respelled(data, old, new):
    """A file with the first occurrence of some bytes replaced, behind its beginning."""
    at = data.index(old, 19)
    return sealed(data[:at] + new + data[at + len(old) : -4])


@pytest.mark.parametrize(
    ("made", "old", "new", "match"),
    [
        (contents(), bytes([1, 1, 2, 3]), bytes([0x81, 0, 1, 2, 3]), "more bytes than it needs"),
        (contents(), bytes([1, 1, 2, 3]), bytes([0x81, 0x80, 0, 1, 2, 3]), "more bytes than it needs"),
        (contents(ranges=[5, 6, 7]), bytes([0x65, 0x07]), bytes([0x65, 0x17]), "leave over"),
        (
            contents(labels=[1, 2]),
            container._sized(deflate(b"\1\2")),
            container._sized(deflate(b"\1\2\0")),
            "labels of the file are followed",
        ),
        (contents(names=["a", "b"]), container._sized(deflate(b"a\0b")), container._sized(deflate(b"a\0b\0")), "names"),
        (contents(stored={0: b"a", 1: b"b"}), b"\0\1a\1\1b", b"\1\1b\0\1a", "ascending"),
        (contents(stored={0: b"a", 1: b"b"}), b"\0\1a\1\1b", b"\0\1a\0\1b", "ascending"),
        (contents(shapes=[(1, 2, 3)] * 2), bytes([1, 2, 1, 2, 3]), bytes([2, 1, 1, 2, 3, 1, 1, 2, 3]), "two runs"),
        (contents(model={"a": b"1", "b": b"2"}), b"\1b\0012", b"\1a\0012", "twice"),
        (contents(model={"a": b"1"}), b"\1\1a\0011", b"\0", "none of its files"),
        (contents(model={"a": b"1"}), b"\1a\0011", b"\1\xff\0011", "no text"),
        (on_lattices(), bytes([2, 0, 1, 9, 1, 3, 0]), bytes([2, 1, 3, 0, 0, 1, 9]), "ascending"),
        (on_lattices(), bytes([2, 0, 1, 9, 1, 3, 0]), bytes([2, 0, 1, 9, 2, 3, 0]), "ascending"),
        (on_lattices(), bytes([2, 0, 1, 9, 1, 3, 0]), bytes([2, 0, 1, 9, 1, 4, 0]), "lattice 4 of colours that this"),
        (on_lattices(), bytes([2, 0, 1, 9, 1, 3, 0]), bytes([2, 0, 1, 9, 1, 3, 16]), "exponent 16"),
        (on_lattices(), bytes([2, 0, 1, 9, 1, 3, 0]), bytes([0]), "has none"),
        (
            on_lattices(stored={1: b"a"}, lattices={0: OnLattice(1, 9)}),
            bytes([1, 0, 1, 9]),
            bytes([1, 1, 1, 9]),
            "and has a lattice",
        ),
    ],
)
def test_another_spelling_is_refused(made, old, new, match):
    data = write(made)
    assert write(read(data)) == data
    spelled = respelled(data, old, new)
    assert spelled != data
    with pytest.raises(DataError, match=match):
        read(spelled)


@pytest.mark.parametrize("path", sorted(GOLDEN.glob("*.npx")), ids=lambda path: path.stem)
def test_golden_files_are_spelled_as_they_are_written(path):
    data = path.read_bytes()
    assert write(read(data)) == data


def test_numbers_have_one_spelling_each():
    for number in (0, 1, 127, 128, 2**14 - 1, 2**14, 2**56 - 1):
        reader = container._Reader(varint(number), 0)
        assert reader.number() == number and reader.at == len(reader.data)


@pytest.fixture(scope="module")
def weights():
    return stored_model(sharper(tiny("local-pixelcnn", (1, 4, 5), 256), 1.0).eval()).weights


def test_other_spellings_of_an_adaptation_are_refused(weights):
    name = sorted(weights)[0]
    steps = np.zeros(weights[name].shape, np.int64)
    steps.flat[0] = 3
    data = to_bytes(weights, {name: Change(steps, 4)})
    place, exponent, zeros, decay, end, stream = *data[:5], data[5:]
    assert (place, end) == (1, 0) and len(stream) <= 6 and from_bytes(weights, data)[name].exponent == 4
    head = bytes([exponent, zeros, decay, 0])
    for bad, match in (
        (b"\x81\0" + head + stream, "more bytes than it needs"),
        (bytes([1, exponent, 0, decay, 0]) + stream, "share of zeros"),
        (b"\1" + head + stream + b"\0", "begin as streams do"),
        (b"\1" + head, "does not change"),
        (b"\0", "changes nothing"),
    ):
        with pytest.raises(DataError, match=match):
            from_bytes(weights, bad)


def picture_file(mode, form):
    pixels = np.random.default_rng(0).integers(0, 256, (4, 5, 4), np.uint8)
    image = Image.fromarray(pixels).convert(mode)
    return encode(np.asarray(image), form, **({"lossless": True} if form == "WEBP" else {}))


@pytest.mark.parametrize(
    ("mode", "kind", "channels"),
    [("RGB", PNG, 1), ("L", PNG, 3), ("RGBA", PNG, 3), ("LA", PNG, 1), ("RGB", WEBP, 1), ("RGBA", WEBP, 3)],
)
def test_a_stored_file_of_another_kind_is_refused(mode, kind, channels):
    data = picture_file(mode, {PNG: "PNG", WEBP: "WEBP"}[kind])
    with pytest.raises(DataError, match="stored image"):
        restored(kind, data, (channels, 4, 5), 256)


def test_stored_files_of_the_right_kind_are_read():
    for mode, channels in (("L", 1), ("LA", 2), ("RGB", 3), ("RGBA", 4)):
        assert restored(PNG, picture_file(mode, "PNG"), (channels, 4, 5), 256).shape == (channels, 4, 5)
    opaque = np.full((4, 5, 4), 255, np.uint8)
    assert np.array_equal(
        restored(WEBP, encode(opaque, "WEBP", lossless=True), (4, 4, 5), 256), np.full((4, 4, 5), 255, np.uint8)
    )


def test_stored_pictures_of_one_colour_need_no_trust():
    """A WebP file of 100 bytes can hold millions of equal pixels, and takes no time for each of them."""
    picture = torch.zeros(1, 900, 900, dtype=torch.uint8)
    made = contents(shapes=[(1, 900, 900)], blocks=[], stored={0: deflate(picture.numpy().tobytes())})
    assert read(write(made)).shapes == made.shapes
    with pytest.raises(DataError, match="most_sub_pixels"):
        read(write(contents(shapes=[(1, 900, 900)], blocks=[[b"\1"]])))
    with pytest.raises(DataError, match="most_sub_pixels"):
        read(write(contents(shapes=[(1, 2**14, 2**14)], blocks=[], stored={0: b""}, kinds={0: DEFLATE})))

import io
import struct
import zipfile

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers.image_makers import few, noise
from nextpixel.data import open_images
from nextpixel.errors import DataError


@few
@given(st.integers(1, 5), st.integers(1, 6), st.integers(1, 6), st.integers(0, 4), st.booleans())
def test_npy_and_npz_hold_the_same(tmp_path, count, height, width, channels, compress):
    array = noise(count, height, width, *([channels] if channels else []))
    np.save(tmp_path / "a.npy", array)
    (np.savez_compressed if compress else np.savez)(tmp_path / "a.npz", images=array)
    expected = (array if channels else array[..., None]).transpose(0, 3, 1, 2)
    for name in ("a.npy", "a.npz"):
        images = open_images(tmp_path / name)
        assert np.array_equal(images[:].numpy(), expected)
        assert images.image_shape == expected.shape[1:] and images.name == name
        (tmp_path / name).unlink()


def test_npy_is_mapped_and_not_cached(tmp_path, own_cache):
    array = noise(4, 5, 6, 3)
    np.save(tmp_path / "c.npy", array)
    np.save(tmp_path / "f.npy", np.asfortranarray(array))
    for name in ("c.npy", "f.npy"):
        images = open_images(tmp_path / name, levels=7)
        assert np.array_equal(images[:].numpy(), (array * 7.0 // 256).astype(np.uint8).transpose(0, 3, 1, 2))
    assert not own_cache.exists()
    assert open_images(tmp_path / "c.npy", mode="grey").image_shape == (1, 5, 6)
    assert len(list(own_cache.iterdir())) == 1


def test_everything_an_npz_may_hold(tmp_path):
    images = noise(5, 3, 3, levels=4)
    np.savez(
        tmp_path / "a.npz",
        images=images,
        labels=np.array([1, 0, 2, 2, 0], np.uint8),
        levels=np.array(4),
        label_names=np.array(["a", "b", "ç"]),
        other=np.zeros(3),
    )
    for _ in range(2):  # the second time from the cache
        opened = open_images(tmp_path / "a.npz")
        assert opened.levels == 4 and opened.label_names == ("a", "b", "ç")
        assert opened.labels.tolist() == [1, 0, 2, 2, 0] and str(opened.labels.dtype) == "torch.int64"
        assert np.array_equal(opened[:].numpy()[:, 0], images)


ONE = noise(2, 3, 3, levels=4)
BAD = {
    "no images": ({"x": ONE}, "holds x but no images"),
    "float": ({"images": ONE / 4}, "float64.*uint8"),
    "int64": ({"images": ONE.astype(np.int64)}, "int64"),
    "bool": ({"images": ONE > 1}, "levels=2"),
    "objects": ({"images": np.array([{}, 1], dtype=object)}, "never unpickled"),
    "flat": ({"images": ONE[0]}, r"\[3, 3\]"),
    "empty": ({"images": ONE[:0]}, r"\[0, 3, 3\]"),
    "no height": ({"images": ONE[:, :0]}, r"\[2, 0, 3\]"),
    "channels first": ({"images": noise(2, 3, 8, 8)}, "move the channels last"),
    "columns": ({"images": np.asfortranarray(noise(3, 4, 5))}, "ascontiguousarray"),
    "value": ({"images": ONE + 3, "levels": 4}, r"image [01] of .*value [456].*4 levels"),
    "levels 1": ({"images": ONE, "levels": 1}, "levels.* is 1 "),
    "levels 257": ({"images": ONE, "levels": 257}, "257"),
    "levels float": ({"images": ONE, "levels": 4.0}, "levels"),
    "levels many": ({"images": ONE, "levels": [4, 4]}, "levels"),
    "few labels": ({"images": ONE, "labels": [1]}, r"labels.*\[1\]"),
    "many labels": ({"images": ONE, "labels": [1, 2, 3]}, r"labels.*\[3\]"),
    "flat labels": ({"images": ONE, "labels": [[1], [2]]}, r"labels.*\[2, 1\]"),
    "float labels": ({"images": ONE, "labels": [1.0, 2.0]}, "labels.*float64"),
    "negative labels": ({"images": ONE, "labels": [-1, 2]}, "labels.*-1"),
    "large labels": ({"images": ONE, "labels": np.array([1, 2**64 - 1], np.uint64)}, "18446744073709551615"),
    "object labels": ({"images": ONE, "labels": np.array([1, None], dtype=object)}, "never unpickled"),
    "few names": ({"images": ONE, "labels": [0, 2], "label_names": ["a", "b"]}, "label 2 but only 2"),
    "names": ({"images": ONE, "labels": [0, 2], "label_names": [1, 2]}, "label_names"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_npz_files_are_named(tmp_path, case):
    content, message = BAD[case]
    np.savez(tmp_path / "bad.npz", **content)
    with pytest.raises(DataError, match=message) as error:
        open_images(tmp_path / "bad.npz")
    assert "bad.npz" in str(error.value)


def header(text, version=1):
    body = text.encode("latin1")
    return b"\x93NUMPY" + bytes([version, 0]) + struct.pack("<H" if version == 1 else "<I", len(body)) + body


DAMAGED = {
    "nothing": b"",
    "no magic": b"NUMPY" * 20,
    "version": header("{'descr': '|u1', 'fortran_order': False, 'shape': (1, 1, 1)}\n", 3) + b"x",
    "shape beyond the file": header("{'descr': '|u1', 'fortran_order': False, 'shape': (1000000, 1000, 1000)}\n")
    + b"x",
    "bytes beyond the shape": header("{'descr': '|u1', 'fortran_order': False, 'shape': (1, 1, 1)}\n") + b"xy",
    "negative shape": header("{'descr': '|u1', 'fortran_order': False, 'shape': (-1, -1, 1)}\n") + b"x",
    "overflowing shape": header(f"{{'descr': '|u1', 'fortran_order': False, 'shape': ({2**63}, 2, 1)}}\n") + b"x",
    "not a shape": header("{'descr': '|u1', 'fortran_order': False, 'shape': 3}\n") + b"x",
    "not a literal": header("__import__('os').getcwd()\n") + b"x",
    "unclosed": header("{'descr': '|u1', 'fortran_order': False, 'shape': (1, 1\n") + b"x",
    "deep": header("(" * 5000) + b"x",
    "long": header(" " * 20_000) + b"x",
    "endless header": b"\x93NUMPY\x02\x00" + struct.pack("<I", 2**32 - 1) + b"x",
    "strange dtype": header("{'descr': '|V1000000000', 'fortran_order': False, 'shape': (1, 1, 1)}\n") + b"x",
    "no dtype": header("{'descr': 'nonsense', 'fortran_order': False, 'shape': (1, 1, 1)}\n") + b"x",
    "record": header("{'descr': [('a', '|u1')], 'fortran_order': False, 'shape': (1, 1, 1)}\n") + b"x",
}


@pytest.mark.parametrize("case", DAMAGED)
def test_damaged_headers(tmp_path, case):
    (tmp_path / "bad.npy").write_bytes(DAMAGED[case])
    with pytest.raises(DataError, match=r"bad\.npy"):
        open_images(tmp_path / "bad.npy")
    for compression in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        with zipfile.ZipFile(tmp_path / "bad.npz", "w", compression) as archive:
            archive.writestr("images.npy", DAMAGED[case])
        with pytest.raises(DataError, match=r"bad\.npz"):
            open_images(tmp_path / "bad.npz")


def test_a_member_that_lies_about_its_size(tmp_path):
    text = "{'descr': '|u1', 'fortran_order': False, 'shape': (1000, 1000, 100)}\n"
    content = header(text) + b"x" * 50
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("images.npy", content)
    claimed = struct.pack("<I", len(header(text)) + 10**8)
    data = buffer.getvalue().replace(struct.pack("<I", len(content)), claimed)
    (tmp_path / "bad.npz").write_bytes(data)
    with pytest.raises(DataError, match=r"bad\.npz"):
        open_images(tmp_path / "bad.npz")


def test_in_memory_sets_are_not_cached(own_cache):
    open_images(noise(3, 4, 4, 3), mode="grey", resize=(2, 2))[:]
    open_images("digits", mode="rgb")[:]
    assert not own_cache.exists()


@pytest.mark.parametrize("channels", [3, 4])
def test_one_picture_is_not_taken_for_many_narrow_ones(tmp_path, channels):
    picture = noise(9, 10, channels)
    np.save(tmp_path / "a.npy", picture)
    for source in (picture, tmp_path / "a.npy"):
        with pytest.raises(DataError, match=r"images\[None\]"):
            open_images(source)
    assert open_images(picture[None]).image_shape == (channels, 9, 10)
    assert open_images(noise(9, 4, channels)).image_shape == (1, 4, channels)


def test_two_levels_in_eight_bits_are_noted(tmp_path):
    bits = noise(4, 5, 6, levels=2)
    bits[0, 0, 0] = 1
    np.savez(tmp_path / "a.npz", images=bits)
    for source in (bits, tmp_path / "a.npz", list(bits)):
        assert "almost black" in " ".join(open_images(source).notes)
    np.savez(tmp_path / "b.npz", images=bits, levels=2)
    for source in (tmp_path / "b.npz", bits * 2, np.zeros((2, 3, 3), np.uint8)):
        assert open_images(source).notes == ()

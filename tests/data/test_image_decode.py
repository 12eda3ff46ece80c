import io
import struct
import subprocess
import sys
import time
import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from helpers.image_makers import encode, few, noise, put
from nextpixel.data import open_images
from nextpixel.data.decode import decode
from nextpixel.data.entries import Unusable
from nextpixel.errors import DataError


def save(image, kind, **options):
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width, height, depth, colour, rows, *more):
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    body = [chunk(b"IHDR", header), *more, chunk(b"IDAT", zlib.compress(rows)), chunk(b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(body)


@few
@given(
    st.sampled_from(["PNG", "BMP", "TIFF", "PPM", "WEBP"]),
    st.integers(1, 12),
    st.integers(1, 12),
    st.integers(),
)
def test_lossless_formats_come_back_exactly(kind, height, width, seed):
    image = noise(height, width, 3, seed=seed % 1000)
    options = {"lossless": True, "exact": True} if kind == "WEBP" else {}
    pixels = decode("x", encode(image, kind, **options)).pixels
    assert np.array_equal(pixels.transpose(1, 2, 0), image)


def test_jpeg_is_what_pillow_decodes():
    data = encode(noise(9, 11, 3), "JPEG")
    assert np.array_equal(decode("x", data).pixels.transpose(1, 2, 0), np.asarray(Image.open(io.BytesIO(data))))


@few
@given(st.integers(1, 8), st.sampled_from(["PNG", "TIFF", "JPEG"]), st.sampled_from(["L", "RGB"]))
def test_orientation_is_exact(orientation, kind, mode):
    stored = noise(5, 7, *([3] if mode == "RGB" else []))
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = save(Image.fromarray(stored), kind, exif=exif.tobytes())
    seen = decode("x", save(Image.fromarray(stored), kind)).pixels
    upright = {
        1: seen,
        2: seen[:, :, ::-1],
        3: seen[:, ::-1, ::-1],
        4: seen[:, ::-1],
        5: seen.transpose(0, 2, 1),
        6: seen[:, ::-1].transpose(0, 2, 1),
        7: seen[:, ::-1, ::-1].transpose(0, 2, 1),
        8: seen[:, :, ::-1].transpose(0, 2, 1),
    }[orientation]
    picture = decode("x", data)
    assert np.array_equal(picture.pixels, upright)
    assert bool(picture.remarks) == (orientation != 1)


def test_turned_images_are_noted(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 3
    turned = save(Image.fromarray(noise(4, 5)), "PNG", exif=exif.tobytes())
    put(tmp_path / "set", {"a.png": turned, "b.png": turned, "c.png": encode(noise(4, 5))})
    assert open_images(tmp_path / "set").notes == ("2 images turned upright as their EXIF orientation says",)


def test_palettes_are_exact():
    colours = noise(16, 3)
    image = Image.new("P", (6, 6))
    image.putdata(list(noise(36, levels=16)))
    image.putpalette(colours.tobytes())
    expected = np.asarray(colours[np.asarray(image)])
    for kind in ("PNG", "GIF", "BMP", "TIFF"):
        assert np.array_equal(decode("x", save(image, kind)).pixels.transpose(1, 2, 0), expected), kind
    transparent = decode("x", save(image, "PNG", transparency=3)).pixels
    assert transparent.shape[0] == 4
    assert np.array_equal(transparent[:3].transpose(1, 2, 0), expected)
    assert np.array_equal(transparent[3], np.where(np.asarray(image) == 3, 0, 255))


@pytest.mark.parametrize("channels", [1, 3])
def test_a_transparent_colour_becomes_alpha(channels):
    image = noise(6, 6, *([3] if channels == 3 else []), levels=3)
    value = tuple(map(int, image[0, 0])) if channels == 3 else int(image[0, 0])
    pixels = decode("x", save(Image.fromarray(image), "PNG", transparency=value)).pixels
    plain = image if channels == 3 else image[..., None]
    assert np.array_equal(pixels[:-1].transpose(1, 2, 0), plain)
    assert np.array_equal(pixels[-1], np.where((plain == plain[0, 0]).all(-1), 0, 255))


def test_bilevel_is_black_and_white():
    bits = noise(5, 9, levels=2)
    image = Image.fromarray(bits * 255).convert("1")
    for kind in ("PNG", "PPM", "TIFF"):
        assert np.array_equal(decode("x", save(image, kind)).pixels[0], bits * 255)


def test_a_photograph_with_further_pictures_is_the_photograph():
    photograph = Image.fromarray(noise(8, 8, 3))
    several = save(photograph, "MPO", save_all=True, append_images=[Image.new("L", (2, 2), 9)])
    picture = decode("x", several)
    assert np.array_equal(picture.pixels, decode("x", save(photograph, "JPEG")).pixels)
    assert picture.remarks == ("taken as the first picture of {their} multi-picture JPEG",)


DEEP = {
    "16-bit grey.png": png(2, 2, 16, 0, bytes(2 * 5)),
    "16-bit grey with alpha.png": png(2, 2, 16, 4, bytes(2 * 9)),
    "16-bit RGB.png": png(2, 2, 16, 2, bytes(2 * 13)),
    "16-bit RGBA.png": png(2, 2, 16, 6, bytes(2 * 17)),
    "16-bit RGB.ppm": b"P6 2 2 65535\n" + bytes(24),
    "16-bit grey.pgm": b"P5 2 2 1023\n" + bytes(8),
    "32-bit.tif": save(Image.fromarray(np.arange(4, dtype=np.int32).reshape(2, 2)), "TIFF"),
    "float.tif": save(Image.fromarray(np.ones((2, 2), np.float32)), "TIFF"),
    "cmyk.jpg": save(Image.new("CMYK", (2, 2)), "JPEG"),
    "cmyk.tif": save(Image.new("CMYK", (2, 2)), "TIFF"),
    "frames.gif": save(
        Image.new("L", (2, 2)), "GIF", save_all=True, append_images=[Image.new("L", (2, 2), 9)], duration=100
    ),
    "frames.tif": save(Image.new("L", (2, 2)), "TIFF", save_all=True, append_images=[Image.new("L", (2, 2), 9)]),
    "frames.webp": save(
        Image.new("RGB", (2, 2)), "WEBP", save_all=True, append_images=[Image.new("RGB", (2, 2), "red")]
    ),
    "huge.png": png(100_000, 100_000, 8, 0, b""),
    "large.png": png(10_000, 7_000, 8, 0, b""),
    "empty.png": b"",
    "text.png": b"not an image",
    "truncated.png": encode(noise(30, 30))[:-300],
    "truncated.jpg": encode(noise(30, 30, 3), "JPEG")[:-300],
    "vector.png": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n",
}


@pytest.mark.parametrize("name", DEEP)
def test_what_cannot_be_kept_whole_is_left_out_with_a_reason(tmp_path, name):
    with pytest.raises(Unusable) as reason:
        decode(name, DEEP[name])
    assert 10 < len(str(reason.value)) < 200 and "\n" not in str(reason.value) and "object at" not in str(reason.value)
    put(tmp_path / "set", {name: DEEP[name], "good.png": encode(noise(4, 5))})
    images = open_images(tmp_path / "set")
    assert images.names == ("good.png",)
    assert images.skipped == ((name, str(reason.value)),)
    with pytest.raises(DataError, match="no image that can be used"):
        open_images(put(tmp_path / "bad", {name: DEEP[name]}))


def test_shallow_values_are_spread_not_lost():
    values = np.arange(16, dtype=np.uint8)
    rows = b"\0" + bytes((values[0::2] << 4) | values[1::2])
    assert decode("x", png(16, 1, 4, 0, rows)).pixels.flatten().tolist() == [17 * v for v in range(16)]


@pytest.mark.parametrize(("bits", "colour", "row"), [(8, 0, 5), (1, 0, 1), (8, 2, 15), (4, 3, 3), (8, 6, 20)])
@pytest.mark.parametrize("rows", [0, 1, 3])
def test_a_png_whose_compressed_pixels_end_early_is_not_taken_with_black_rows(bits, colour, row, rows):
    palette = [chunk(b"PLTE", bytes(48))] if colour == 3 else []
    whole = decode("a.png", png(5, 4, bits, colour, bytes((1 + row) * 4), *palette))
    assert whole.pixels.shape[1:] == (4, 5)
    with pytest.raises(Unusable, match="cannot be decoded"):
        decode("a.png", png(5, 4, bits, colour, bytes((1 + row) * rows), *palette))


def test_black_pngs_in_many_parts_are_whole():
    """However the compressed pixels are divided into chunks."""
    rows = zlib.compress(bytes(6 * 4))
    head, tail = png(5, 4, 8, 0, bytes(6 * 4)).split(b"IDAT")[0][:-4], png(5, 4, 8, 0, b"")[-12:]
    parts = b"".join(chunk(b"IDAT", rows[at : at + 3]) for at in range(0, len(rows), 3))
    assert not decode("a.png", head + parts + tail).pixels.any()


def test_a_page_of_a_tiff_far_beyond_its_end_is_refused():
    big = b"II+\0\x08\0\0\0" + (2**64 - 8).to_bytes(8, "little") + bytes(100)
    with pytest.raises(Unusable, match="header is damaged"):
        decode("a.tif", big)


TIFF_LENGTH, TIFF_STRIP_OFFSETS, TIFF_STRIP_BYTES, TIFF_RESOLUTION_UNIT = 257, 273, 279, 296


def with_tag(data, tag, value):
    """A little-endian TIFF file with another number in a tag of one."""
    changed = bytearray(data)
    (start,) = struct.unpack_from("<I", data, 4)
    (count,) = struct.unpack_from("<H", data, start)
    for entry in range(start + 2, start + 2 + 12 * count, 12):
        number, kind = struct.unpack_from("<HH", data, entry)
        if number == tag:
            struct.pack_into("<H" if kind == 3 else "<I", changed, entry + 8, value)
    return bytes(changed)


def tiff_by_tifffile():
    tifffile = pytest.importorskip("tifffile")
    buffer = io.BytesIO()
    values = np.arange(3 * 7 * 9, dtype=np.uint16).reshape(3, 7, 9)
    tifffile.imwrite(buffer, values, photometric="rgb", planarconfig="separate", rowsperstrip=7)
    return buffer.getvalue()


@pytest.mark.parametrize(
    "made", [lambda: encode(noise(7, 9), "TIFF"), tiff_by_tifffile], ids=["by Pillow", "planes of 16 bits"]
)
def test_a_tiff_without_some_of_its_strips_is_refused_before_it_is_read(made):
    """Pillow and tifffile take them as black, and tifffile goes through millions of them one by one."""
    whole = made()
    assert decode("a.tif", whole, deep=True).pixels.shape[1:] == (7, 9)
    started = time.process_time()
    for length in (8, 4_000_000):
        with pytest.raises(Unusable, match=r"cannot be decoded \(it has [13] of its [\d,]+ strips\)"):
            decode("a.tif", with_tag(whole, TIFF_LENGTH, length), deep=True)
    assert time.process_time() - started < 1


@pytest.mark.parametrize(
    ("tag", "message"),
    [(TIFF_STRIP_OFFSETS, "0 of its 1 strips"), (TIFF_STRIP_BYTES, "some of its 1 strips are empty")],
)
def test_a_tiff_with_an_empty_strip_is_refused(tag, message):
    with pytest.raises(Unusable, match=message):
        decode("a.tif", with_tag(encode(noise(7, 9), "TIFF"), tag, 0))


def test_damaged_tiff_files_say_nothing_but_the_reason():
    """In a process of its own, as pytest listens to what is logged."""
    data = with_tag(tiff_by_tifffile(), TIFF_RESOLUTION_UNIT, 17)
    script = "import sys; from nextpixel.data.decode import decode; decode('a.tif', sys.stdin.buffer.read(), deep=True)"
    done = subprocess.run([sys.executable, "-c", script], input=data, capture_output=True, check=True)
    assert not done.stderr

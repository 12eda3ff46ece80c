import contextlib
import io
import math
import zlib

import numpy as np
import pytest
import torch
from PIL import Image

import nextpixel as nx
from helpers.tiny_models import tiny
from nextpixel.codec.codec import Original
from nextpixel.codec.container import DEFLATE, FILE, PNG, WEBP, deflate, read, write
from nextpixel.codec.stored_pictures import restored, shorter, stored
from nextpixel.errors import DataError, InputError

SHAPES = [(1, 9, 7), (2, 9, 7), (3, 9, 7), (4, 9, 7), (3, 64, 48)]


def jpeg_and_its_pixels(side=48):
    random = np.random.default_rng(0)
    smooth = random.normal(size=(side, side, 3)).cumsum(axis=0).cumsum(axis=1)
    file = io.BytesIO()
    Image.fromarray((128 + 4 * smooth).clip(0, 255).astype(np.uint8)).save(file, "JPEG", quality=50)
    return file.getvalue(), torch.from_numpy(np.array(Image.open(file))).permute(2, 0, 1).contiguous()


def mended(data):
    """The bytes with a checksum that fits."""
    return bytes(data[:-4]) + zlib.crc32(bytes(data[:-4])).to_bytes(4, "little")


@pytest.fixture(scope="module", params=["gated-pixelcnn", "local-pixelcnn"])
def model(request):
    head = {"head": "logistic-mixture"} if request.param == "local-pixelcnn" else {}
    return tiny(request.param, (3, 8, 8), 256, default_condition=False, **head).eval()


def packed(model, pictures, names, originals=None):
    """The bytes of a file, made in the shortest time."""
    effort = 1 if model.family == "local-pixelcnn" else None
    return nx.compress(model, pictures, names=names, originals=originals, effort=effort)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("levels", [2, 17, 256])
def test_what_is_stored_comes_back_and_is_the_shortest(shape, levels):
    noise = torch.randint(levels, shape, dtype=torch.uint8)
    ramp = (torch.arange(math.prod(shape)).view(shape) % levels).byte()
    for picture in (noise, ramp, torch.zeros(shape, dtype=torch.uint8)):
        kind, data = stored(picture.numpy(), levels)
        assert np.array_equal(restored(kind, data, shape, levels), picture.numpy())
        assert len(data) <= len(deflate(picture.numpy().tobytes()))
        assert kind in ((PNG, WEBP, DEFLATE) if levels == 256 else (DEFLATE,))


def test_filters_before_deflating_are_those_of_png():
    smooth = torch.arange(256).repeat(64, 1)[None].byte()
    noise = torch.randint(3, (3, 40, 256), dtype=torch.uint8)
    picture = (smooth[:, :40] + noise).clamp(max=255).byte()
    kind, data = stored(picture.numpy(), 256)
    assert kind in (PNG, WEBP) and len(data) < 0.7 * len(deflate(picture.numpy().tobytes()))


def test_the_shortest_of_model_stored_and_original_is_taken():
    picture = torch.randint(256, (1, 16, 16), dtype=torch.uint8).numpy()
    assert shorter(picture, 256, 20) is None
    assert shorter(picture, 256, math.inf)[0] in (PNG, DEFLATE, WEBP)
    assert shorter(picture, 256, math.inf, b"short") == (FILE, b"short")
    assert shorter(picture, 256, 7, b"short") is None and shorter(picture, 256, 8, b"short") == (FILE, b"short")
    assert shorter(picture, 256, math.inf, b"long" * 1000)[0] != FILE


def test_a_jpeg_is_kept_to_the_byte_with_its_name(model):
    data, pixels = jpeg_and_its_pixels()
    zeros = torch.zeros(3, 8, 8, dtype=torch.uint8)
    names, originals = ["a.png", "b.png"], [Original("a.jpg", data), Original("b.bmp", data)]
    file = packed(model, [pixels, zeros], names, originals)
    contents = read(file)
    assert contents.kinds.get(0) == FILE and contents.stored[0] == data and contents.kinds.get(1) != FILE
    assert contents.names == ["a.jpg", "b.png"]
    first, second = nx.decompress(model, file)
    assert torch.equal(first, pixels) and torch.equal(second, zeros)
    assert len(file) < len(data) + 200 < len(packed(model, [pixels, zeros], names))


def test_kept_files_that_do_not_fit_are_refused(model):
    data, pixels = jpeg_and_its_pixels()
    contents = read(packed(model, [pixels], ["a.png"], [Original("a.jpg", data)]))
    contents.shapes = [(3, 48, 47)]
    with pytest.raises(DataError, match=r"pixels|another size"):
        nx.decompress(model, write(contents))
    contents.shapes, contents.stored = [(3, 48, 48)], {0: data[: len(data) // 2]}
    with pytest.raises(DataError, match=r"decompress it to a folder|checksum"):
        nx.decompress(model, write(contents))
    contents.stored = {0: b"GIF89a" + data}
    with pytest.raises(DataError):
        nx.decompress(model, write(contents))
    contents.names = None
    with pytest.raises(DataError, match="without its name"):
        nx.decompress(model, write(contents))


def test_a_webp_has_no_two_channels():
    file = io.BytesIO()
    Image.new("RGB", (7, 9)).save(file, "WEBP", lossless=True)
    with pytest.raises(DataError, match="mode RGB, not that of 2 channels"):
        restored(WEBP, file.getvalue(), (2, 9, 7), 256)


def test_originals_need_names(model):
    with pytest.raises(InputError, match="originals need as many names"):
        nx.compress(model, torch.zeros(1, 3, 8, 8, dtype=torch.uint8), originals=[Original("a.png", b"")])


def test_flipped_bits_of_a_file_that_keeps_a_file_are_noticed(model):
    """Also where the checksum fits: refused with a sentence, or a file of other pixels, never a traceback."""
    data, pixels = jpeg_and_its_pixels()
    pictures = [pixels, torch.zeros(3, 30, 30, dtype=torch.uint8), torch.randint(256, (1, 5, 5), dtype=torch.uint8)]
    originals = [Original("a.jpg", data), Original("b.bmp", data * 9), Original("c.bmp", data * 9)]
    file = packed(model, pictures, ["a.png", "b.png", "c.png"], originals)
    assert FILE in read(file).kinds.values()
    random = np.random.default_rng(0)
    for place in random.integers(8, len(file) - 4, 60):
        damaged = bytearray(file)
        damaged[place] ^= 1 << random.integers(8)
        with pytest.raises(DataError):
            read(bytes(damaged))
        with contextlib.suppress(DataError):
            nx.decompress(model, mended(damaged))

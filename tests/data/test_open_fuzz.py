"""Files with random damage: each opens and can be read to its end, or is refused in words."""

import io
import random
import resource
import time
import zipfile

import numpy as np
import pytest

from helpers.image_makers import encode, idx, idx_gz, noise, pack, pngs, put
from nextpixel.data import open_images
from nextpixel.errors import NextpixelError

ROUNDS = 40


def npz():
    buffer = io.BytesIO()
    np.savez(buffer, images=noise(3, 6, 5, levels=9), labels=[0, 2, 1], levels=9, label_names=["a", "b", "c"])
    return buffer.getvalue()


def npy():
    buffer = io.BytesIO()
    np.save(buffer, noise(3, 6, 5, 3))
    return buffer.getvalue()


def archive(tmp_path, kind, mode):
    files = {**pngs("a/1.png", "b/2.png"), "metadata.csv": b"file_name,label\na/1.png,x\nb/2.png,y\n"}
    return pack(tmp_path / f"seed.{kind}", files, mode).read_bytes()


SEEDS = {
    "image.png": lambda _: encode(noise(9, 8, 3)),
    "image.jpg": lambda _: encode(noise(9, 8, 3), "JPEG"),
    "image.webp": lambda _: encode(noise(9, 8, 3), "WEBP", lossless=True),
    "image.gif": lambda _: encode(noise(9, 8), "GIF"),
    "image.tif": lambda _: encode(noise(9, 8, 3), "TIFF", compression="tiff_lzw"),
    "set.zip": lambda tmp_path: archive(tmp_path, "zip", None),
    "set.tar": lambda tmp_path: archive(tmp_path, "tar", "w"),
    "set.tar.gz": lambda tmp_path: archive(tmp_path, "tar.gz", "w:gz"),
    "set.npz": lambda _: npz(),
    "set.npy": lambda _: npy(),
    "set-idx": lambda _: idx(noise(3, 6, 5)),
    "set-idx.gz": lambda _: idx_gz(noise(3, 6, 5)),
}


def damage(data, rng):
    data = bytearray(data)
    for _ in range(rng.choice([1, 1, 2, 5])):
        # Headers are where damage misleads, so most of it goes there.
        place = rng.randrange(min(len(data), rng.choice([16, 64, 256, 1 << 20])) or 1)
        match rng.randrange(6):
            case 0 if data:
                data[place % len(data)] ^= 1 << rng.randrange(8)
            case 1:
                del data[max(place, 1) :]
            case 2:
                data[place:place] = rng.randbytes(rng.randrange(1, 9))
            case 3:
                data[place : place + 4] = reversed(data[place : place + 4])
            case 4:
                data[place : place + 4] = rng.choice(
                    [b"\xff\xff\xff\xff", b"\0\0\0\0", b"\x7f\xff\xff\xff", b"\0\0\0\1"]
                )
            case 5 if data:
                data[place % len(data)] = rng.randrange(256)
    return bytes(data)


def open_and_read(path):
    """Opens a damaged file; says whether that worked. Nothing but a set or a NextpixelError will do."""
    try:
        images = open_images(path)
    except NextpixelError as error:
        message = str(error)
        assert message and "\n" not in message and len(message) < 700
        return False
    assert len(images) >= 1
    for image in images:
        assert image.shape == images.image_shape and int(image.max()) < images.levels
    if images.labels is not None:
        assert len(images.labels) == len(images)
    return True


@pytest.mark.parametrize("name", SEEDS)
def test_damaged_files(tmp_path, name):
    whole = SEEDS[name](tmp_path)
    (tmp_path / name).write_bytes(whole)
    assert open_and_read(tmp_path / name)
    rng = random.Random(name)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for round_ in range(ROUNDS):
        folder = put(tmp_path / str(round_), {name: damage(whole, rng)})
        started = time.monotonic()
        # Images are looked at in a folder, beside a sound one whose size they may no longer have.
        if name.startswith("image."):
            put(folder, {"sound.png": encode(noise(9, 8, 3))})
            open_and_read(folder)
        else:
            open_and_read(folder / name)
        assert time.monotonic() - started < 10
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown < 700 * 1024, f"{grown} KiB more than before"


def test_damage_inside_an_intact_archive(tmp_path):
    rng = random.Random(1)
    sound = encode(noise(4, 5))
    for round_ in range(10):
        path = tmp_path / f"{round_}.zip"
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("a.png", damage(sound, rng))
            archive.writestr("b.png", sound)
        open_and_read(path)

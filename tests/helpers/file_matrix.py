"""Small picture files of every kind, made by independent writers, and what becomes of them.

``PYTHONPATH=src python tests/helpers/file_matrix.py`` makes them all, prints how many are read equal to the writer's
integers, changed with a note, refused, or *silently other* (exit code 1 if any), and lists the last. With ``--page`` it
prints the page docs/reference/file-formats.md, which a test holds to what happens.

Writers that are not installed are left out: Pillow is always there; tifffile, imagecodecs, pillow-heif and
pillow-jxl-plugin come with the extras; ImageMagick's ``convert`` and netpbm's tools from the system.
"""

from __future__ import annotations

import contextlib
import functools
import io
import shutil
import struct
import subprocess
import sys
import zlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from nextpixel.data.decode import decode
from nextpixel.data.entries import Unusable
from nextpixel.data.level_table import level_table

SIZE = (7, 9)


@dataclass(frozen=True)
class MadeFile:
    """A file and what its writer put into it.

    Attributes:
        name: Its name; the ending tells the format.
        writer: Who made it.
        kind: What it holds, for the table.
        data: Its content.
        samples: The writer's integers, ``[H, W, C]``; None where nothing but a refusal is right.
        levels: How many levels they have.
        lossy: Whether the format changes samples by a little.
    """

    name: str
    writer: str
    kind: str
    data: bytes
    samples: NDArray[Any] | None
    levels: int = 256
    lossy: bool = False

    @property
    def ending(self) -> str:
        return self.name.rpartition(".")[2]


def outcome(file: MadeFile) -> tuple[str, str]:
    """What becomes of a file: equal, noted, refused or other; and what is said."""
    try:
        picture = decode(file.name, file.data)
    except Unusable as reason:
        return "refused", str(reason)
    said = "; ".join(picture.remarks)
    if file.samples is None:
        return ("other", f"read as {picture.pixels.shape} though it should be refused; {said}")
    expected = level_table(file.levels)[file.samples] if file.levels < 256 else file.samples
    read = picture.pixels.transpose(1, 2, 0)
    if file.lossy and read.shape == expected.shape:
        close = np.abs(read.astype(int) - expected.astype(int)).max() <= 40
        return ("equal" if close and not said else "noted" if close else "other"), said
    if read.shape == expected.shape and (read == file.samples).all():
        return ("noted" if said else "equal"), said
    if read.shape == expected.shape and (read == expected).all() and said:
        return "noted", said
    return "other", f"{read.shape} {expected.shape} {read.reshape(-1)[:6]} {expected.reshape(-1)[:6]} {said}"


def outcome_of_the_highest_eight(file: MadeFile) -> bool:
    """Whether a deep file that was refused gives its highest eight bits when they are asked for, and says so."""
    assert file.samples is not None
    try:
        picture = decode(file.name, file.data, deep=True)
    except Unusable:
        return True
    highest = file.samples.astype(np.uint32) * 256 // file.levels
    return bool(picture.remarks) and np.array_equal(picture.pixels.transpose(1, 2, 0), highest)


def noise(channels: int, levels: int = 256, seed: int = 0) -> NDArray[Any]:
    """Integers ``[H, W, channels]`` of so many levels, the least and the greatest among them."""
    dtype = np.uint8 if levels <= 256 else np.uint16
    values = np.random.default_rng([seed, channels, levels]).integers(0, levels, (*SIZE, channels)).astype(dtype)
    values[0, 0], values[0, 1] = 0, levels - 1
    return values


def squeezed(values: NDArray[Any]) -> NDArray[Any]:
    return values[..., 0] if values.shape[2] == 1 else values


def kind_of(channels: int, bits: int) -> str:
    return f"{bits} bit{'' if bits == 1 else 's'}, {('grey', 'grey and alpha', 'RGB', 'RGBA')[channels - 1]}"


def saved(image: Image.Image, form: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, form, **options)
    return buffer.getvalue()


# PNG ----------------------------------------------------------------------------------------------------------------


def png_chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(values: NDArray[Any], bits: int, colour: int, *chunks: bytes) -> bytes:
    """A PNG written by hand, of 1 to 16 bits."""
    height, width = values.shape[:2]
    rows = []
    for row in values.reshape(height, -1):
        if bits == 16:
            rows.append(b"\0" + row.astype(">u2").tobytes())
        else:
            each_bit = (row[:, None] >> np.arange(bits)[::-1]) & 1
            rows.append(b"\0" + np.packbits(each_bit.astype(np.uint8).reshape(-1)).tobytes())
    header = struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, 0)
    body = [png_chunk(b"IHDR", header), *chunks, png_chunk(b"IDAT", zlib.compress(b"".join(rows)))]
    return b"\x89PNG\r\n\x1a\n" + b"".join(body) + png_chunk(b"IEND", b"")


def png_files() -> Iterator[MadeFile]:
    for bits, (channels, colour) in product((1, 2, 4, 8, 16), ((1, 0), (2, 4), (3, 2), (4, 6))):
        if bits < 8 and channels > 1:
            continue
        values = noise(channels, 1 << bits)
        yield MadeFile("a.png", "by hand", kind_of(channels, bits), png(values, bits, colour), values, 1 << bits)
        if channels in (1, 3):
            chosen = values[2, 3]
            chunk = png_chunk(b"tRNS", chosen.astype(">u2").tobytes())
            alpha = np.where((values == chosen).all(-1), 0, (1 << bits) - 1).astype(values.dtype)
            with_alpha = np.concatenate([values, alpha[..., None]], axis=2)
            kind = f"{kind_of(channels, bits)}, a transparent colour"
            yield MadeFile("a.png", "by hand", kind, png(values, bits, colour, chunk), with_alpha, 1 << bits)
    for bits in (1, 2, 4, 8):
        colours = noise(3, seed=7).reshape(-1, 3)[: min(1 << bits, 60)]
        places = noise(1, len(colours))
        palette = png_chunk(b"PLTE", colours.tobytes())
        kind = f"palette of {bits} bits"
        yield MadeFile("a.png", "by hand", kind, png(places, bits, 3, palette), colours[places[..., 0]])
        alpha = np.arange(len(colours), dtype=np.uint8) * 3
        with_alpha = np.concatenate([colours, alpha[:, None]], axis=1)[places[..., 0]]
        data = png(places, bits, 3, palette, png_chunk(b"tRNS", alpha.tobytes()))
        yield MadeFile("a.png", "by hand", f"{kind}, with alpha", data, with_alpha)
    for channels in (1, 2, 3, 4):
        values = noise(channels)
        for options in ({}, {"optimize": True}):
            data = saved(Image.fromarray(squeezed(values)), "PNG", **options)
            yield MadeFile("a.png", "Pillow", kind_of(channels, 8), data, values)
    bits = noise(1, 2)
    yield MadeFile(
        "a.png", "Pillow", "1 bit, grey", saved(Image.fromarray(bits[..., 0] * 255).convert("1"), "PNG"), bits, 2
    )
    deep = noise(1, 65536)
    yield MadeFile("a.png", "Pillow", "16 bits, grey", saved(Image.fromarray(deep[..., 0]), "PNG"), deep, 65536)
    more = [Image.fromarray(noise(3, seed=1))]
    data = saved(Image.fromarray(noise(3)), "PNG", save_all=True, append_images=more)
    yield MadeFile("a.png", "Pillow", "several frames", data, None)


# TIFF ---------------------------------------------------------------------------------------------------------------


def pillow_tiff_files() -> Iterator[MadeFile]:
    for compression, channels in product(("raw", "tiff_lzw", "tiff_adobe_deflate", "packbits", "zstd"), (1, 2, 3, 4)):
        values = noise(channels)
        with contextlib.suppress(OSError, KeyError):
            data = saved(Image.fromarray(squeezed(values)), "TIFF", compression=compression)
            yield MadeFile("a.tif", "Pillow", kind_of(channels, 8), data, values)
    bits = noise(1, 2)
    for compression in ("raw", "group3", "group4", "tiff_lzw", "packbits"):
        data = saved(Image.fromarray(bits[..., 0] * 255).convert("1"), "TIFF", compression=compression)
        yield MadeFile("a.tif", "Pillow", "1 bit, grey", data, bits, 2)
    for compression in ("raw", "tiff_lzw"):
        deep = noise(1, 65536)
        data = saved(Image.fromarray(deep[..., 0]), "TIFF", compression=compression)
        yield MadeFile("a.tif", "Pillow", "16 bits, grey", data, deep, 65536)
    colours, places = noise(3, seed=7).reshape(-1, 3), noise(1, 60)
    image = Image.fromarray(places[..., 0]).convert("P")
    image.putpalette(colours.tobytes())
    yield MadeFile("a.tif", "Pillow", "palette of 8 bits", saved(image, "TIFF"), colours[places[..., 0]])
    several = saved(Image.fromarray(noise(1)[..., 0]), "TIFF", save_all=True, append_images=[image])
    yield MadeFile("a.tif", "Pillow", "several pages", several, None)
    for mode, kind in (("F", "floating-point numbers"), ("I", "32 bits, signed"), ("CMYK", "CMYK"), ("LAB", "CIELAB")):
        yield MadeFile("a.tif", "Pillow", kind, saved(Image.new(mode, SIZE), "TIFF"), None)


def tifffile_files() -> Iterator[MadeFile]:
    try:
        tifffile: Any = import_module("tifffile")
    except ImportError:
        return

    def written(values: NDArray[Any], **options: Any) -> bytes:
        buffer = io.BytesIO()
        tifffile.imwrite(buffer, values, metadata=None, **options)
        return buffer.getvalue()

    for order, compression, channels, planar, depth in product(
        "<>", (None, "zlib", "lzw", "packbits", "zstd"), (1, 2, 3, 4, 5), ("contig", "separate"), (8, 16)
    ):
        if channels == 1 and planar == "separate":
            continue
        values = noise(channels, 1 << depth)
        photometric = "minisblack" if channels < 3 else "rgb"
        extras = {2: ["unassalpha"], 4: ["unassalpha"], 5: ["unspecified"] * 2}.get(channels)
        stored = squeezed(values) if planar == "contig" else values.transpose(2, 0, 1)
        options: dict[str, Any] = {"byteorder": order, "compression": compression, "photometric": photometric}
        if channels > 1:
            options |= {"planarconfig": planar, "extrasamples": extras}
        if compression in ("zlib", "lzw") and order == "<":
            options["predictor"] = True
        try:
            data = written(stored, **options)
        except (ValueError, KeyError, RuntimeError):
            continue
        kind = kind_of(channels, depth) if channels < 5 else f"{depth} bits, 5 bands"
        kind += ", a plane each" if planar == "separate" else ""
        right = values if channels < 5 else None
        yield MadeFile("a.tif", "tifffile", kind, data, right, 1 << depth)
    for channels, extra, planar in product((2, 4), ("unspecified", "assocalpha"), ("contig", "separate")):
        values = noise(channels)
        stored = values if planar == "contig" else values.transpose(2, 0, 1)
        photometric = "minisblack" if channels < 3 else "rgb"
        data = written(stored, photometric=photometric, planarconfig=planar, extrasamples=[extra])
        kind = "premultiplied alpha" if extra == "assocalpha" else f"{channels} bands without alpha"
        yield MadeFile("a.tif", "tifffile", f"8 bits, {kind}", data, values)
    values = noise(3)
    stored = values.transpose(2, 0, 1)
    data = written(stored, photometric="minisblack", planarconfig="separate", extrasamples=["unspecified"] * 2)
    yield MadeFile("a.tif", "tifffile", "8 bits, 3 bands without colour", data, values)
    for depth, tile in product((8, 16), (False, True)):
        values = noise(3, 1 << depth)
        options = {"tile": (16, 16)} if tile else {"rowsperstrip": 2}
        for bigtiff in (False, True):
            data = written(values, photometric="rgb", bigtiff=bigtiff, **options)
            yield MadeFile("a.tif", "tifffile", kind_of(3, depth), data, values, 1 << depth)
    values = noise(1)
    data = written(255 - values[..., 0], photometric="miniswhite")
    yield MadeFile("a.tif", "tifffile", "8 bits, grey, 0 is white", data, values)
    deep = noise(1, 65536)
    data = written(65535 - deep[..., 0], photometric="miniswhite")
    yield MadeFile("a.tif", "tifffile", "16 bits, grey, 0 is white", data, deep, 65536)
    for bits in (2, 4, 10, 12, 14):
        values = noise(1, 1 << bits)
        with contextlib.suppress(ValueError, NotImplementedError, KeyError):
            data = written(values[..., 0], bitspersample=bits, photometric="minisblack")
            yield MadeFile("a.tif", "tifffile", f"{bits} bits, grey", data, values, 1 << bits)
    for dtype, kind in (("i1", "8 bits, signed"), ("i2", "16 bits, signed"), ("f2", "floating-point numbers")):
        yield MadeFile("a.tif", "tifffile", kind, written(noise(1)[..., 0].astype(dtype)), None)
    for dtype, kind in (("f4", "floating-point numbers"), ("u4", "32 bits, grey"), ("c8", "complex numbers")):
        yield MadeFile("a.tif", "tifffile", kind, written(noise(1)[..., 0].astype(dtype)), None)
    yield MadeFile(
        "a.tif",
        "tifffile",
        "a volume",
        written(np.zeros((3, 5, 16, 16), np.uint8), volumetric=True, tile=(2, 16, 16)),
        None,
    )
    for companion, subfile in (("a mask", 4), ("smaller versions", 1)):
        buffer = io.BytesIO()
        picture = noise(3)
        with tifffile.TiffWriter(buffer) as writer:
            writer.write(picture, photometric="rgb", metadata=None)
            other = noise(1)[..., 0] > 99 if subfile == 4 else noise(3)[::2, ::2]
            kind = "mask" if subfile == 4 else "rgb"
            writer.write(other, photometric=kind, subfiletype=subfile, metadata=None)
        yield MadeFile("a.tif", "tifffile", f"8 bits, RGB, with {companion}", buffer.getvalue(), picture)
    buffer = io.BytesIO()
    with tifffile.TiffWriter(buffer) as writer:
        writer.write(noise(3)[::2, ::2], photometric="rgb", subfiletype=1, metadata=None)
    yield MadeFile("a.tif", "tifffile", "nothing but a thumbnail", buffer.getvalue(), None)
    colours = np.random.default_rng(5).integers(0, 65536, (3, 256)).astype(np.uint16)
    data = written(noise(1)[..., 0], photometric="palette", colormap=colours)
    yield MadeFile("a.tif", "tifffile", "palette of 16-bit colours", data, None)
    for factor in (256, 257):
        colours = noise(3, seed=3).reshape(-1, 3)
        whole = np.zeros((256, 3), np.uint16)
        whole[: len(colours)] = colours.astype(np.uint16) * factor
        places = noise(1, len(colours))
        data = written(places[..., 0], photometric="palette", colormap=whole.T)
        yield MadeFile("a.tif", "tifffile", "palette of 8 bits", data, colours[places[..., 0]])


# Others of Pillow and by hand ---------------------------------------------------------------------------------------


def netpbm_files() -> Iterator[MadeFile]:
    height, width = SIZE
    for levels, (channels, ending) in product(
        (2, 4, 16, 32, 101, 200, 256, 1024, 4096, 65536), ((1, "pgm"), (3, "ppm"))
    ):
        values = noise(channels, levels)
        head = f"{width} {height}\n# a comment\n{levels - 1}\n".encode()
        binary = values.astype(">u2").tobytes() if levels > 256 else values.tobytes()
        kind = f"{'grey' if channels == 1 else 'RGB'}, maxval {levels - 1}"
        magic = b"P5\n" if channels == 1 else b"P6\n"
        yield MadeFile(f"a.{ending}", "by hand", kind, magic + head + binary, values, levels)
        text = " ".join(map(str, values.reshape(-1).tolist())).encode()
        magic = b"P2\n" if channels == 1 else b"P3\n"
        yield MadeFile(f"a.{ending}", "by hand", f"{kind}, as text", magic + head + text, values, levels)
    bits = noise(1, 2)
    packed = np.packbits(1 - bits[..., 0], axis=1).tobytes()
    yield MadeFile("a.pbm", "by hand", "1 bit, grey", f"P4 {width} {height}\n".encode() + packed, bits, 2)
    text = " ".join(map(str, (1 - bits).reshape(-1).tolist())).encode()
    yield MadeFile("a.pbm", "by hand", "1 bit, grey, as text", f"P1 {width} {height}\n".encode() + text, bits, 2)
    one = f"P5 {width} {height} 255\n".encode() + noise(1).tobytes()
    yield MadeFile("a.pgm", "by hand", "several pictures", one + one, None)
    yield MadeFile("a.pnm", "by hand", "grey, maxval 255", one, noise(1))
    for channels, mode in ((1, "L"), (3, "RGB")):
        data = saved(Image.fromarray(squeezed(noise(channels)), mode), "PPM")
        yield MadeFile("a.pnm", "Pillow", kind_of(channels, 8), data, noise(channels))


def bmp_16(values: NDArray[Any], masks: tuple[int, int, int] | None, widths: tuple[int, int, int]) -> bytes:
    """A BMP of 16 bits a pixel, written by hand."""
    height, width = values.shape[:2]
    red, green, blue = (values[..., i].astype(np.uint16) for i in range(3))
    words = (red << (widths[1] + widths[2])) | (green << widths[2]) | blue
    rows = b"".join(row.astype("<u2").tobytes().ljust((2 * width + 3) // 4 * 4, b"\0") for row in words[::-1])
    extra = struct.pack("<3I", *masks) if masks else b""
    start = 54 + len(extra)
    header = struct.pack("<IiiHHIIiiII", 40, width, height, 1, 16, 3 if masks else 0, len(rows), 0, 0, 0, 0)
    return b"BM" + struct.pack("<IHHI", start + len(rows), 0, 0, start) + header + extra + rows


def bmp_palette(places: NDArray[Any], bits: int, colours: NDArray[Any]) -> bytes:
    """A BMP with a palette and 1, 4 or 8 bits a pixel, written by hand."""
    height, width = places.shape
    each_bit = (places[..., None] >> np.arange(bits)[::-1]) & 1
    packed = np.packbits(each_bit.reshape(height, -1).astype(np.uint8), axis=1)
    rows = b"".join(row.tobytes().ljust((len(row) + 3) // 4 * 4, b"\0") for row in packed[::-1])
    palette = b"".join(bytes([blue, green, red, 0]) for red, green, blue in colours.tolist())
    start = 54 + len(palette)
    header = struct.pack("<IiiHHIIiiII", 40, width, height, 1, bits, 0, len(rows), 0, 0, len(colours), 0)
    return b"BM" + struct.pack("<IHHI", start + len(rows), 0, 0, start) + header + palette + rows


def other_files() -> Iterator[MadeFile]:
    for channels in (3, 4):
        values = noise(channels)
        for quality in (0, 50, 100):
            data = saved(Image.fromarray(values), "WEBP", lossless=True, exact=True, quality=quality)
            yield MadeFile("a.webp", "Pillow", f"{kind_of(channels, 8)}, lossless", data, values)
    more = [Image.fromarray(noise(3, seed=1))]
    data = saved(Image.fromarray(noise(3)), "WEBP", save_all=True, append_images=more, lossless=True)
    yield MadeFile("a.webp", "Pillow", "several frames", data, None)
    smooth = np.add.outer(np.arange(16), np.arange(16)).astype(np.uint8) * 6
    for mode, ending in product(("L", "RGB"), ("jpg", "jpeg", "jpe", "jfif")):
        image = Image.fromarray(smooth).convert(mode)
        data = saved(image, "JPEG", quality=95, subsampling=0)
        values = np.asarray(image).reshape(16, 16, -1)
        yield MadeFile(f"a.{ending}", "Pillow", kind_of(values.shape[2], 8), data, values, lossy=True)
    yield MadeFile("a.jpg", "Pillow", "CMYK", saved(Image.new("CMYK", SIZE), "JPEG"), None)
    places = noise(1, 60)[..., 0]
    colours = noise(3, seed=7).reshape(-1, 3)
    image = Image.fromarray(places).convert("P")
    image.putpalette(colours.tobytes())
    for form, ending in (("GIF", "gif"), ("BMP", "bmp"), ("TGA", "tga")):
        yield MadeFile(f"a.{ending}", "Pillow", "palette of 8 bits", saved(image, form), colours[places])
    frames = saved(image, "GIF", save_all=True, append_images=[Image.new("L", SIZE[::-1], 9)], duration=100)
    yield MadeFile("a.gif", "Pillow", "several frames", frames, None)
    for channels in (1, 3):
        values = noise(channels)
        yield MadeFile("a.bmp", "Pillow", kind_of(channels, 8), saved(Image.fromarray(squeezed(values)), "BMP"), values)
    bits = noise(1, 2)
    data = saved(Image.fromarray(bits[..., 0] * 255).convert("1"), "BMP")
    yield MadeFile("a.bmp", "Pillow", "black and white", data, bits * 255)
    for bits_a_place, greys in product((1, 4, 8), (False, True)):
        count = min(1 << bits_a_place, 60)
        colours = noise(3, seed=7).reshape(-1, 3)[2 : 2 + count]
        if greys:
            colours = np.repeat(np.arange(count, dtype=np.uint8)[:, None], 3, axis=1)
        places = noise(1, count)[..., 0]
        data = bmp_palette(places, bits_a_place, colours)
        right = colours[places]
        kind = f"palette of {bits_a_place} bits" + (", of the first greys" if greys else "")
        yield MadeFile("a.bmp", "by hand", kind, data, right[..., :1] if greys and bits_a_place == 8 else right)
    black_and_white = np.array([[0] * 3, [255] * 3], np.uint8)
    places = noise(1, 2)[..., 0]
    data = bmp_palette(places, 1, black_and_white)
    yield MadeFile("a.bmp", "by hand", "black and white", data, black_and_white[places][..., :1])
    for bits_a_place in (4, 8):
        data = bmp_palette(places, bits_a_place, black_and_white)
        kind = f"palette of {bits_a_place} bits, of black and white"
        yield MadeFile("a.bmp", "by hand", kind, data, black_and_white[places])
    fives = noise(3, 32)
    yield MadeFile("a.bmp", "by hand", "5 bits, RGB", bmp_16(fives, None, (5, 5, 5)), fives, 32)
    sixes = fives.copy()
    sixes[..., 1] = noise(1, 64)[..., 0]
    data = bmp_16(sixes, (0xF800, 0x7E0, 0x1F), (5, 6, 5))
    yield MadeFile("a.bmp", "by hand", "5 and 6 bits, RGB", data, None)
    values = noise(4)
    rows = values[::-1, :, [2, 1, 0, 3]].tobytes()
    header = struct.pack("<IiiHHIIiiII", 40, SIZE[1], SIZE[0], 1, 32, 0, len(rows), 0, 0, 0, 0)
    data = b"BM" + struct.pack("<IHHI", 54 + len(rows), 0, 0, 54) + header + rows
    yield MadeFile("a.bmp", "by hand", "8 bits, RGB and a byte without name", data, None)
    for channels, compression in product((1, 2, 3, 4), (None, "tga_rle")):
        values = noise(channels)
        image = Image.fromarray(squeezed(values))
        data = saved(image, "TGA", compression=compression) if compression else saved(image, "TGA")
        yield MadeFile("a.tga", "Pillow", kind_of(channels, 8), data, values)
    with contextlib.suppress(KeyError, OSError):
        data = saved(Image.fromarray(smooth).convert("RGB"), "AVIF", quality=100, subsampling="4:4:4")
        values = np.asarray(Image.fromarray(smooth).convert("RGB"))
        yield MadeFile("a.avif", "Pillow", "8 bits, RGB", data, values, lossy=True)


# Plugins and other programs -----------------------------------------------------------------------------------------


def plugin_files() -> Iterator[MadeFile]:
    smooth = np.repeat((np.add.outer(np.arange(16), np.arange(16)) * 6).astype(np.uint8)[..., None], 3, axis=2)
    with contextlib.suppress(ImportError):
        import_module("pillow_jxl")
        for channels in (1, 2, 3, 4):
            values = noise(channels)
            data = saved(Image.fromarray(squeezed(values)), "JXL", lossless=True)
            yield MadeFile("a.jxl", "pillow-jxl-plugin", f"{kind_of(channels, 8)}, lossless", data, values)
    with contextlib.suppress(ImportError):
        heif: Any = import_module("pillow_heif")
        heif.register_heif_opener()
        data = saved(Image.fromarray(smooth), "HEIF", quality=95, chroma=444)
        yield MadeFile("a.heic", "pillow-heif", "8 bits, RGB", data, smooth, lossy=True)
        deep = (smooth.astype(np.uint16) << 8).tobytes()
        made = heif.from_bytes("RGB;16", (16, 16), deep)
        buffer = io.BytesIO()
        made.save(buffer, quality=95)
        yield MadeFile("a.heic", "pillow-heif", "more than 8 bits, RGB", buffer.getvalue(), None)


def imagecodecs_files() -> Iterator[MadeFile]:
    try:
        codecs: Any = import_module("imagecodecs")
    except ImportError:
        return
    for channels, depth in product((1, 2, 3, 4), (8, 16)):
        values = noise(channels, 1 << depth)
        for level in (1, 9):
            data = codecs.png_encode(squeezed(values), level=level)
            yield MadeFile("a.png", "imagecodecs", kind_of(channels, depth), data, values, 1 << depth)
        data = codecs.jpegxl_encode(squeezed(values), lossless=True)
        yield MadeFile("a.jxl", "imagecodecs", f"{kind_of(channels, depth)}, lossless", data, values, 1 << depth)
    for channels in (3, 4):
        values = noise(channels)
        data = codecs.webp_encode(values, lossless=True)
        if channels == 3:
            yield MadeFile("a.webp", "imagecodecs", f"{kind_of(channels, 8)}, lossless", data, values)
    for bits in (10, 12):
        values = noise(3, 1 << bits)
        data = codecs.avif_encode(values, bitspersample=bits, level=100)
        yield MadeFile("a.avif", "imagecodecs", f"{bits} bits, RGB", data, None)
        data = codecs.jpegxl_encode(values, bitspersample=bits, lossless=True)
        yield MadeFile("a.jxl", "imagecodecs", f"{bits} bits, RGB, lossless", data, None)
    frames = np.stack([noise(3), noise(3, seed=1)])
    with contextlib.suppress(Exception):
        yield MadeFile("a.jxl", "imagecodecs", "several frames", codecs.jpegxl_encode(frames, lossless=True), None)
    for channels in (1, 3):
        values = noise(channels)
        yield MadeFile("a.bmp", "imagecodecs", kind_of(channels, 8), codecs.bmp_encode(squeezed(values)), values)
    smooth = np.add.outer(np.arange(16), np.arange(16)).astype(np.uint8) * 6
    data = codecs.jpeg8_encode(smooth, level=95)
    yield MadeFile("a.jpg", "imagecodecs", "8 bits, grey", data, smooth[..., None], lossy=True)
    with contextlib.suppress(Exception):
        data = codecs.jpeg8_encode(smooth.astype(np.uint16) * 16, level=95, bitspersample=12)
        yield MadeFile("a.jpg", "imagecodecs", "12 bits, grey", data, None)


@functools.cache
def program(name: str) -> str | None:
    return shutil.which(name)


def piped(*words: str, data: bytes) -> bytes | None:
    """What a program makes of bytes, None where it is not installed or fails."""
    if program(words[0]) is None:
        return None
    done = subprocess.run(words, input=data, capture_output=True, timeout=60, check=False)
    return done.stdout if done.returncode == 0 and done.stdout else None


def netpbm(values: NDArray[Any], levels: int) -> bytes:
    height, width, channels = values.shape
    magic = {1: b"P5", 3: b"P6"}[channels]
    body = values.astype(">u2").tobytes() if levels > 256 else values.tobytes()
    return magic + f" {width} {height} {levels - 1}\n".encode() + body


def program_files() -> Iterator[MadeFile]:
    for channels, bits in product((1, 3), (1, 2, 4, 8, 16)):
        values = noise(channels, 1 << bits)
        source = netpbm(values, 1 << bits)
        kind = kind_of(channels, bits)
        # Colours of fewer than 8 bits are written by these programs as 8-bit samples, each in its own way.
        right = level_table(1 << bits)[values] if bits < 8 and channels == 3 else values
        levels = 256 if bits < 8 and channels == 3 else 1 << bits
        if bits >= 8 or channels == 1:
            if (data := piped("pnmtopng", data=source)) is not None:
                yield MadeFile("a.png", "netpbm", kind, data, right, levels)
            if (data := piped("pnmtopng", "-interlace", data=source)) is not None:
                yield MadeFile("a.png", "netpbm", f"{kind}, interlaced", data, right, levels)
            for option in ("-none", "-lzw", "-packbits", "-flate", "-mm", "-ll"):
                compression = ("-none", option) if option in ("-mm", "-ll") else (option,)
                if (data := piped("pamtotiff", "-truecolor", *compression, data=source)) is not None:
                    yield MadeFile("a.tif", "netpbm", kind, data, right, levels)
        if bits == 8:
            if (data := piped("ppmtobmp", data=source)) is not None and channels == 3:
                yield MadeFile("a.bmp", "netpbm", kind, data, right)
            if (data := piped("pamtotga", "-rgb" if channels == 3 else "-mono", data=source)) is not None:
                yield MadeFile("a.tga", "netpbm", kind, data, right)
        if bits >= 8 or channels == 1:
            for compression, endian in product(("None", "LZW", "Zip", "RLE"), ("LSB", "MSB")):
                words = ("-depth", str(bits), "-compress", compression, "-define", f"tiff:endian={endian.lower()}")
                if (data := piped("convert", "pnm:-", *words, "tiff:-", data=source)) is not None:
                    yield MadeFile("a.tif", "ImageMagick", kind, data, right, levels)
            if channels == 3:
                for compression in ("None", "LZW", "Zip"):
                    words = ("-depth", str(bits), "-compress", compression, "-interlace", "plane")
                    if (data := piped("convert", "pnm:-", *words, "tiff:-", data=source)) is not None:
                        yield MadeFile("a.tif", "ImageMagick", f"{kind}, a plane each", data, right, levels)
            if (data := piped("convert", "pnm:-", "-depth", str(bits), "pnm:-", data=source)) is not None:
                yield MadeFile("a.pnm", "ImageMagick", f"{kind} (netpbm)", data, right, levels)
        if bits == 8:
            # Not TGA: ImageMagick 6.9.11 writes its rows upside down.
            for target, ending in (("png24:-", "png"), ("bmp3:-", "bmp"), ("bmp2:-", "bmp")):
                if channels == 3 and (data := piped("convert", "pnm:-", target, data=source)) is not None:
                    yield MadeFile(f"a.{ending}", "ImageMagick", kind, data, right)
            words = ("-define", "webp:lossless=true", "webp:-")
            if channels == 3 and (data := piped("convert", "pnm:-", *words, data=source)) is not None:
                yield MadeFile("a.webp", "ImageMagick", f"{kind}, lossless", data, right)


def made_files() -> Iterator[MadeFile]:
    """Every file of the matrix that the installed writers can make."""
    for maker in (
        png_files,
        pillow_tiff_files,
        tifffile_files,
        netpbm_files,
        other_files,
        plugin_files,
        imagecodecs_files,
        program_files,
    ):
        yield from maker()


FORMATS = {
    "png": "PNG",
    "tif": "TIFF",
    "pgm": "netpbm",
    "ppm": "netpbm",
    "pbm": "netpbm",
    "pnm": "netpbm",
    "webp": "WebP",
    "jpg": "JPEG",
    "jpeg": "JPEG",
    "jpe": "JPEG",
    "jfif": "JPEG",
    "gif": "GIF",
    "bmp": "BMP",
    "tga": "TGA",
    "avif": "AVIF",
    "jxl": "JPEG XL",
    "heic": "HEIC",
}
Rows = dict[tuple[str, str], tuple[str, str]]


def rows_of(files: Iterator[MadeFile]) -> Rows:
    """By format and kind: what becomes of such files, and what is said."""
    rows: Rows = {}
    for file in files:
        if file.writer in ("ImageMagick", "netpbm"):
            # They choose by themselves whether to write a palette.
            continue
        result, said = outcome(file)
        key = (FORMATS[file.ending], file.kind)
        assert rows.setdefault(key, (result, said))[0] == result, (key, rows[key], result, file.writer, said)
    return rows


PAGE = """# Picture files: what is read

Whatever is read are the integers of the file, `read` below. Where they were changed, a note says how; everything else
is refused with a sentence, and a set of images lists what it skipped. Three rules hold for all formats:

- **Fewer than 8 bits** (PNG and TIFF of 1, 2 or 4 bits, netpbm of another maxval, BMP of 16 bits a pixel): the levels
  are spread evenly over 0..255, as programs show them, and `--levels N` with the number of levels that the note names
  gives the file's own integers 0..N-1. Alpha is spread likewise.
- **More than 8 bits**: refused, unless `--depth 8` or `--levels N` is asked for; then it is the highest 8 bits,
  `floor(x * 256 / levels)`.
- **Bands**: up to four are read as they are, and a note says if the last is not called alpha. Premultiplied colours
  stay as they are stored.

Of formats that lose (JPEG, WebP, AVIF, HEIC) it is what the decoder gives. Planar or deep TIFF and bands beyond colour
need `pip install 'nextpixel[tiff]'`, HEIC `nextpixel[heic]`, JPEG XL `nextpixel[jxl]`. Colour profiles and gamma
are not applied. FITS, DICOM, JPEG 2000, PAM, PFM, OpenEXR and Photoshop files are refused with the name of a tool that
converts them.

Every row was made by the writers named in `tests/helpers/file_matrix.py` and read with VERSIONS.

| format | kind | result | what is said |
|---|---|---|---|
"""


def page() -> str:
    """The page of the documentation."""
    from importlib.metadata import version

    names = ("Pillow", "tifffile", "imagecodecs", "pillow-heif", "pillow-jxl-plugin")
    versions = ", ".join(f"{name} {version(name)}" for name in names)
    words = {"equal": "read", "noted": "read, noted", "refused": "refused"}
    lines = [
        f"| {form} | {kind} | {words[result]} | {said.replace('{their}', 'their')} |"
        for (form, kind), (result, said) in rows_of(made_files()).items()
    ]
    return PAGE.replace("VERSIONS", versions) + "\n".join(sorted(lines, key=lambda line: line.split(" | ")[0])) + "\n"


def main() -> int:
    if "--page" in sys.argv:
        print(page(), end="")
        return 0
    counts: Counter[str] = Counter()
    by_writer: dict[str, Counter[str]] = {}
    for file in made_files():
        result, said = outcome(file)
        deep = result == "refused" and file.levels > 256 and file.samples is not None
        if deep and not outcome_of_the_highest_eight(file):
            result, said = "other", "the highest eight bits are not those of the file"
        counts[result] += 1
        by_writer.setdefault(file.writer, Counter())[result] += 1
        if result == "other" or "-v" in sys.argv:
            print(f"{result}: {file.ending}, {file.kind}, by {file.writer}: {said}")
    for writer, results in by_writer.items():
        print(f"{writer:18} {results.total():4} files: {dict(results)}")
    print(
        f"{counts.total()} files: "
        + ", ".join(f"{counts[name]} {name}" for name in ("equal", "noted", "refused", "other"))
    )
    return bool(counts["other"])


if __name__ == "__main__":
    sys.exit(main())

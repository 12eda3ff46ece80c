"""What a picture file holds, from its own header and not from the name of a library's mode.

This is the one place that decides it: samples, bits, kinds of numbers, levels, alpha, planes, further pictures. What
`nextpixel.data.decode` then reads either is exactly what the header promises, or is refused.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from functools import lru_cache

from nextpixel.data.entries import Unusable
from nextpixel.data.headers.header import Alpha, PictureHeader
from nextpixel.data.headers.jpeg_xl import CONTAINER, read_jxl_header
from nextpixel.data.headers.png_rows import PNG_SAMPLES
from nextpixel.data.headers.tiff import read_tiff_header

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
AVIF_BRANDS = frozenset({b"avif", b"avis"})
HEIF_BRANDS = frozenset({b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1", b"heif"})
ELSEWHERE = {
    b"SIMPLE  =": "is a FITS file, whose numbers have no range of their own: scale them to PNG with Astropy",
    b"\x00\x00\x00\x0cjP  ": "is a JPEG 2000 file, which is not read: convert it to PNG with opj_decompress",
    b"8BPS": "is a Photoshop file, which is not read: save it as PNG",
    b"P7\n": "is a PAM file, which is not read: convert it with pamtopng",
    b"Pf": "holds floating-point numbers (PFM), and whole numbers are wanted: scale and save them as PNG",
    b"PF": "holds floating-point numbers (PFM), and whole numbers are wanted: scale and save them as PNG",
    b"#?RADIANCE": "holds floating-point numbers (Radiance HDR), and whole numbers are wanted: save it as PNG",
    b"v/1\x01": "holds floating-point numbers (OpenEXR), and whole numbers are wanted: save it as PNG",
}
"""Formats that are recognised to be refused with the tool that converts them."""


def read_header(name: str, data: bytes) -> PictureHeader:
    """Read what a picture file says of itself.

    Args:
        name: its name; only TGA, which has no signature, is recognised by it.
        data: its content.

    Raises:
        Unusable: it is no picture file that is read, or its header is damaged.
    """
    if data.startswith(PNG_SIGNATURE):
        return _checked(_png_header, data)
    for signature, reader in READERS.items():
        if data.startswith(signature):
            return _checked(reader, data)
    if data[4:8] == b"ftyp":
        return _checked(_heif_header, data)
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return _checked(_webp_header, data)
    for signature, sentence in ELSEWHERE.items():
        if data.startswith(signature):
            raise Unusable(sentence)
    if data[128:132] == b"DICM":
        raise Unusable(
            "is a DICOM file, whose numbers have a meaning of their own: convert it with dcm2pnm or dcm2niix"
        )
    if name.lower().endswith(".tga"):
        return _checked(_tga_header, data)
    raise Unusable("is not an image file that can be recognised")


def _checked(reader: Callable[[bytes], PictureHeader], data: bytes) -> PictureHeader:
    try:
        return reader(data)
    except (struct.error, ArithmeticError, LookupError, OSError, SyntaxError, TypeError, ValueError) as error:
        raise Unusable("cannot be decoded (its header is damaged or cut short)") from error


@lru_cache(maxsize=64)
def _plain_png(bits: int, colour: int) -> PictureHeader:
    """The header of a PNG with nothing before its pixels, as most small ones are: one object for all of them."""
    alpha: Alpha = "straight" if colour in (4, 6) else "none"
    return PictureHeader("PNG", PNG_SAMPLES[colour], bits, 1 << bits, alpha=alpha)


def _png_header(data: bytes) -> PictureHeader:
    if data[12:16] != b"IHDR":
        raise ValueError("no IHDR")
    bits, colour = data[24], data[25]
    if data[37:41] == b"IDAT" and colour != 3:
        return _plain_png(bits, colour)
    samples = PNG_SAMPLES[colour]
    alpha: Alpha = "straight" if colour in (4, 6) else "none"
    transparent = None
    # The chunks up to the pixels; nearly always there are none between.
    position = 33
    while data[position + 4 : position + 8] not in (b"IDAT", b""):
        (length,) = struct.unpack_from(">I", data, position)
        if data[position + 4 : position + 8] == b"tRNS":
            alpha = "transparent colour"
            if colour in (0, 2):
                values = struct.unpack_from(f">{samples}H", data, position + 8)
                transparent = tuple(value & ((1 << bits) - 1) for value in values)
        position += 12 + length
    palette = colour == 3
    bits = 8 if palette else bits
    return PictureHeader("PNG", samples, bits, 1 << bits, palette=palette, alpha=alpha, transparent=transparent)


def _jpeg_header(data: bytes) -> PictureHeader:
    position = 2
    while position + 4 <= len(data):
        if data[position] != 0xFF:
            break
        marker = data[position + 1]
        if marker == 0xFF:
            position += 1
        elif marker in (0x01, *range(0xD0, 0xD9)):
            position += 2
        elif 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            bits, samples = data[position + 4], data[position + 9]
            return PictureHeader("JPEG", samples, bits, 1 << bits)
        else:
            (length,) = struct.unpack_from(">H", data, position + 2)
            position += 2 + length
    raise ValueError("no frame")


def _gif_header(_: bytes) -> PictureHeader:
    return PictureHeader("GIF", 1, 8, 256, palette=True)


def _webp_header(data: bytes) -> PictureHeader:
    with_alpha = {b"VP8X": bool(data[20] & 0x10), b"VP8L": bool(data[24] & 0x10), b"VP8 ": False}[data[12:16]]
    return PictureHeader("WEBP", 4 if with_alpha else 3, 8, 256, alpha="straight" if with_alpha else "none")


def _bmp_header(data: bytes) -> PictureHeader:
    (size,) = struct.unpack_from("<I", data, 14)
    if size == 12:
        (bits,) = struct.unpack_from("<H", data, 24)
        compression = 0
    else:
        bits, compression = struct.unpack_from("<HI", data, 28)
    if bits <= 8:
        return PictureHeader("BMP", 1, 8, 256, palette=True, index_bits=bits)
    if bits == 16:
        masks = struct.unpack_from("<3I", data, 54) if compression == 3 else (0x7C00, 0x3E0, 0x1F)
        widths = {mask.bit_count() for mask in masks}
        if widths != {5}:
            raise Unusable("has 5 bits of red and blue and 6 of green, which are of different levels: save it as PNG")
        return PictureHeader("BMP", 3, 5, 32)
    alpha_mask = struct.unpack_from("<I", data, 66)[0] if compression == 3 and size >= 56 else 0
    if bits == 32 and not alpha_mask and compression == 0:
        (start,) = struct.unpack_from("<I", data, 10)
        if any(data[start + 3 :: 4]):
            raise Unusable("has a fourth byte a pixel that may be alpha or nothing: save it as PNG")
    return PictureHeader("BMP", 4 if alpha_mask else 3, 8, 256, alpha="straight" if alpha_mask else "none")


def _netpbm_header(data: bytes) -> PictureHeader:
    kind = data[1] - ord("0")
    words = 2 if kind in (1, 4) else 3
    numbers, position = _netpbm_numbers(data, words)
    width, height = numbers[0], numbers[1]
    levels = 2 if words == 2 else numbers[2] + 1
    if not 2 <= levels <= 65536:
        raise ValueError("maxval")
    samples = 3 if kind in (3, 6) else 1
    if kind >= 4:
        row = (width + 7) // 8 if kind == 4 else width * samples * (2 if levels > 256 else 1)
        rest = data[position + row * height :].lstrip()
        pictures = 2 if rest[:1] == b"P" and rest[1:2] in b"123456" and len(rest) > 2 else 1
    else:
        pictures = 1
    bits = (levels - 1).bit_length()
    return PictureHeader("PPM", samples, bits, levels, pictures=pictures, start=position)


def _netpbm_numbers(data: bytes, count: int) -> tuple[list[int], int]:
    """The numbers after the magic word, and where the one blank after the last of them ends."""
    numbers: list[int] = []
    position = 2
    while len(numbers) < count:
        while data[position : position + 1].isspace() or data[position : position + 1] == b"#":
            position = data.index(b"\n", position) if data[position : position + 1] == b"#" else position + 1
        start = position
        while data[position : position + 1].isdigit() and position - start < 10:
            position += 1
        numbers.append(int(data[start:position]))
    # A comment may stand between the last number and its blank.
    if data[position : position + 1] == b"#":
        position = data.index(b"\n", position)
    return numbers, position + 1


def _tga_header(data: bytes) -> PictureHeader:
    colormap, kind, map_bits, depth, descriptor = data[1], data[2], data[7], data[16], data[17]
    if colormap not in (0, 1) or kind not in (1, 2, 3, 9, 10, 11):
        raise ValueError("no TGA")
    if kind in (1, 9):
        if map_bits not in (24, 32):
            raise Unusable("has 5 bits a colour in its palette: save it as PNG")
        return PictureHeader("TGA", 1, 8, 256, palette=True)
    if kind in (3, 11):
        samples = {8: 1, 16: 2}[depth]
    elif depth in (15, 16):
        raise Unusable("has 5 bits a colour and one that may be alpha: save it as PNG")
    else:
        samples = {24: 3, 32: 4}[depth]
    if samples == 4 and not descriptor & 0x0F:
        raise Unusable("has a fourth byte a pixel that its header does not call alpha: save it as PNG")
    return PictureHeader("TGA", samples, 8, 256, alpha="straight" if samples in (2, 4) else "none")


def _heif_header(data: bytes) -> PictureHeader:
    (size,) = struct.unpack_from(">I", data, 0)
    brands = {data[8:12], *(data[at : at + 4] for at in range(16, min(size, 256), 4))}
    name = "AVIF" if brands & AVIF_BRANDS else "HEIF" if brands & HEIF_BRANDS else None
    if name is None:
        raise Unusable("is not an image file that can be recognised")
    # The properties of all pictures in the file lie in its first boxes; the deepest of them decides.
    bits = 8
    start = data[: 1 << 20]
    for content in _boxes(start, b"av1C"):
        bits = max(bits, 12 if content[2] & 0x20 else 10 if content[2] & 0x40 else 8)
    for content in _boxes(start, b"hvcC"):
        bits = max(bits, 8 + (content[17] & 7))
    for content in _boxes(start, b"pixi"):
        bits = max(bits, *content[5 : 5 + content[4]], 8)
    alpha: Alpha = "premultiplied" if b"prem" in start else "none"
    return PictureHeader(name, 3, bits, 1 << bits, alpha=alpha)


def _boxes(data: bytes, kind: bytes) -> Iterator[bytes]:
    """The contents of all boxes of a kind."""
    position = data.find(kind)
    while position >= 4:
        (size,) = struct.unpack_from(">I", data, position - 4)
        if 8 <= size <= 4096:
            yield data[position + 4 : position - 4 + size]
        position = data.find(kind, position + 4)


READERS: dict[bytes, Callable[[bytes], PictureHeader]] = {
    b"\xff\xd8\xff": _jpeg_header,
    b"GIF87a": _gif_header,
    b"GIF89a": _gif_header,
    b"BM": _bmp_header,
    **dict.fromkeys((b"II*\x00", b"MM\x00*", b"II+\x00", b"MM\x00+"), read_tiff_header),
    **{b"P%d" % kind: _netpbm_header for kind in range(1, 7)},
    b"\xff\x0a": read_jxl_header,
    CONTAINER: read_jxl_header,
}

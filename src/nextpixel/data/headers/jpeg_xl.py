"""What a JPEG XL file holds: its header is a run of bits, and Pillow's plugin passes over half of them."""

from __future__ import annotations

import struct

from nextpixel.data.entries import Unusable
from nextpixel.data.headers.header import Alpha, PictureHeader

CONTAINER = b"\x00\x00\x00\x0cJXL \r\n\x87\n"


class _BitReader:
    """Bits from the lowest of the first byte upwards, as JPEG XL has them."""

    def __init__(self, data: bytes) -> None:
        self._bits = int.from_bytes(data, "little")
        self._left = 8 * len(data)

    def take(self, count: int) -> int:
        """The next number of so many bits."""
        self._left -= count
        if self._left < 0:
            raise ValueError("cut short")
        value = self._bits & ((1 << count) - 1)
        self._bits >>= count
        return value

    def choose(self, *choices: tuple[int, int]) -> int:
        """A number in one of four forms, each an offset and how many bits are added to it."""
        offset, count = choices[self.take(2)]
        return offset + self.take(count)


def read_jxl_header(data: bytes) -> PictureHeader:
    """Read the header of a JPEG XL file; how many colours it has only the decoder tells.

    Raises:
        Unusable: it is of a kind that the plugin does not hand on whole.
        ValueError: it is damaged.
    """
    bits = _BitReader(_jxl_codestream(data)[2:66])
    _skip_jxl_size(bits)
    depth, numbers, extra, pictures, turned = 8, "unsigned", 0, 1, False
    if not bits.take(1):
        if bits.take(1):
            turned = bits.take(3) != 0
            if bits.take(1):
                _skip_jxl_size(bits)
            if bits.take(1):
                raise Unusable("holds a preview, which JPEG XL files seldom do: decode it with djxl")
            pictures = 1 + bits.take(1)
        if pictures > 1:
            raise Unusable("holds several frames, and only single images can be used")
        if bits.take(1):
            depth, numbers = bits.choose((32, 0), (16, 0), (24, 0), (1, 6)), "floating-point"
        else:
            depth = bits.choose((8, 0), (10, 0), (12, 0), (1, 6))
        bits.take(1)
        extra = bits.choose((0, 0), (1, 0), (2, 4), (1, 12))
    alpha: Alpha = "none"
    if extra == 1:
        if not bits.take(1):
            raise Unusable("has a fourth channel other than 8-bit alpha: decode it with djxl")
        alpha, extra = "straight", 0
    return PictureHeader(
        "JXL",
        3,
        depth,
        1 << depth,
        "floating-point" if numbers == "floating-point" else "unsigned",
        alpha=alpha,
        extra=extra,
        turned=turned,
    )


def _jxl_codestream(data: bytes) -> bytes:
    """The start of the compressed picture, which lies in a box of a container or is the file itself."""
    position = 0
    while data.startswith(CONTAINER) and position + 8 <= len(data):
        size, kind = struct.unpack_from(">I4s", data, position)
        if kind in (b"jxlc", b"jxlp"):
            start = position + (8 if size != 1 else 16) + (4 if kind == b"jxlp" else 0)
            return data[start : start + 80]
        if size == 1:
            (size,) = struct.unpack_from(">Q", data, position + 8)
        if size < 8:
            break
        position += size
    return data[:80]


def _skip_jxl_size(bits: _BitReader) -> None:
    small = bits.take(1)
    forms = ((1, 9), (1, 13), (1, 18), (1, 30))
    bits.take(5) if small else bits.choose(*forms)
    if not bits.take(3):
        bits.take(5) if small else bits.choose(*forms)

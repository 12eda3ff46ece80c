"""Whether a PNG file has all its rows: where its compressed stream ends early, Pillow takes the rest as black."""

from __future__ import annotations

import struct
import zlib

PNG_SAMPLES = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
"""Samples of a pixel by the colour type of a PNG."""


def has_all_rows(data: bytes) -> bool:
    """Whether the compressed pixels of a PNG file are as many as its size says.

    Pillow checks interlaced files itself; they are taken as whole.

    Args:
        data: The content of a file that Pillow has decoded, so that its chunks are sound.
    """
    width, height, bits, colour = struct.unpack_from(">IIBB", data, 16)
    if data[28] != 0:
        return True
    wanted = height * (1 + (width * bits * PNG_SAMPLES[colour] + 7) // 8)
    inflater = zlib.decompressobj()
    inflated, position = 0, 8
    while inflated < wanted and not inflater.eof and position + 8 <= len(data):
        (length,) = struct.unpack_from(">I", data, position)
        if data[position + 4 : position + 8] == b"IDAT":
            inflated += len(inflater.decompress(data[position + 8 : position + 8 + length], wanted))
        position += 12 + length
    return bool(inflated >= wanted)

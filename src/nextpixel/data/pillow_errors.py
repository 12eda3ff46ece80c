"""What Pillow raises."""

from __future__ import annotations

import struct
import zlib

from PIL import Image

PILLOW_ERRORS = (
    OSError,
    SyntaxError,
    ValueError,
    TypeError,
    AttributeError,
    ArithmeticError,
    AssertionError,
    LookupError,
    EOFError,
    MemoryError,
    RuntimeError,
    struct.error,
    zlib.error,
    Image.DecompressionBombError,
    Image.DecompressionBombWarning,
)
"""Everything Pillow's readers have been seen to raise on damaged files."""

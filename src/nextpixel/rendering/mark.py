"""A mark in files that nextpixel makes, by which a later command knows that it may replace them."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, PngImagePlugin

from nextpixel.data.pillow_errors import PILLOW_ERRORS

MARK = "nextpixel"
SOFTWARE_TAG = 0x0131
"""Of EXIF: the program that made the picture."""


def mark_of(kind: str) -> dict[str, object]:
    """The options by which Pillow marks a picture of a format; none where it has no place for it."""
    if kind == "PNG":
        text = PngImagePlugin.PngInfo()
        text.add_text("Software", MARK)
        return {"pnginfo": text}
    if kind in ("JPEG", "WEBP", "TIFF"):
        exif = Image.Exif()
        exif[SOFTWARE_TAG] = MARK
        return {"exif": exif}
    return {"comment": MARK.encode()} if kind == "GIF" else {}


def picture_is_marked(path: Path) -> bool:
    """Whether a picture file has the mark; not where it cannot be read."""
    try:
        with Image.open(path, formats=["PNG", "JPEG", "WEBP", "TIFF", "GIF"]) as picture:
            marks = (picture.info.get("Software"), picture.info.get("comment"), picture.getexif().get(SOFTWARE_TAG))
    except PILLOW_ERRORS:
        return False
    return MARK in marks or MARK.encode() in marks


def marked_arrays(entries: dict[str, NDArray[np.generic]]) -> bytes:
    """The bytes of a compressed .npz file with the mark."""
    buffer = io.BytesIO()
    np.savez_compressed(buffer, allow_pickle=False, **entries)
    with zipfile.ZipFile(buffer, "a") as archive:
        archive.comment = MARK.encode()
    return buffer.getvalue()


def arrays_are_marked(path: Path) -> bool:
    """Whether an .npz file has the mark; not where it cannot be read."""
    try:
        with zipfile.ZipFile(path) as archive:
            return archive.comment == MARK.encode()
    except (OSError, zipfile.BadZipFile):
        return False

"""Pictures that move."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

from PIL import Image

from nextpixel.errors import InputError
from nextpixel.rendering.mark import mark_of
from nextpixel.runtime.atomic_files import write_result

FORMATS = {".gif": "GIF", ".webp": "WEBP"}
WHOLE_MILLISECONDS, LAST_MILLISECONDS = 4000, 2500


def check_animation(path: Path) -> None:
    """Refuse an ending that stands for no moving picture.

    Raises:
        InputError: it is neither .gif nor .webp.
    """
    if path.suffix.lower() not in FORMATS:
        raise InputError(f"{path} must end with {' or '.join(FORMATS)}")


def save_animation(frames: Sequence[Image.Image], path: Path) -> None:
    """Write frames as a picture that plays for some seconds, rests on the last one, and begins anew.

    Raises:
        InputError: the ending is of no such format, or the file cannot be written.
    """
    check_animation(path)
    durations = [max(20, WHOLE_MILLISECONDS // len(frames))] * (len(frames) - 1) + [LAST_MILLISECONDS]
    buffer = io.BytesIO()
    frames[0].save(
        buffer,
        format=FORMATS[path.suffix.lower()],
        save_all=True,
        append_images=frames[1:],
        duration=durations,
        loop=0,
        lossless=True,
        **mark_of(FORMATS[path.suffix.lower()]),
    )
    write_result(path, buffer.getvalue())

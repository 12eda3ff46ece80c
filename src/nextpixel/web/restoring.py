"""Restoring .npx files on the page: with the models that are served or come along with nextpixel, and no others."""

from __future__ import annotations

import base64
from collections.abc import Sequence

from nextpixel.codec.codec import unpack
from nextpixel.codec.container import FILE, counted_sub_pixels, picture_names, read
from nextpixel.codec.decoding_time import decoding_seconds
from nextpixel.errors import InputError
from nextpixel.families.base import ImageModel
from nextpixel.model_files.loading import load_shipped
from nextpixel.model_files.stored import stored_model
from nextpixel.rendering.grid import to_pil
from nextpixel.runtime.terminal import duration
from nextpixel.web.jobs import Job
from nextpixel.web.served import Served, png

MOST_RESTORED_SUB_PIXELS, MOST_PICTURES, MOST_SECONDS = 2**22, 256, 120
COMMAND = "use nextpixel decompress"


def restore(models: Sequence[Served], data: bytes, job: Job) -> None:
    """Tell the pictures of a file, each as a PNG file, or as the file that was kept.

    Args:
        models: what is served.
        data: bytes of an .npx file, of which nothing is believed.
        job: whom it is told to.

    Raises:
        InputError: the file holds more than the page restores, or was made by another model.
        DataError: it is damaged.
    """
    contents = read(data)
    names = picture_names(contents)
    if len(names) > MOST_PICTURES:
        raise InputError(f"the file has {len(names):,} pictures, the page restores {MOST_PICTURES}; {COMMAND}")
    if counted_sub_pixels(contents.shapes, (), contents.version) > MOST_RESTORED_SUB_PIXELS:
        raise InputError(f"the pictures of the file are larger than those that the page restores; {COMMAND}")
    model = _model(models, contents.fingerprint)
    seconds = decoding_seconds(stored_model(model), contents)
    if seconds > MOST_SECONDS:
        raise InputError(f"restoring the file takes about {duration(seconds)}, too long for the page; {COMMAND}")
    total = max(1, sum(channels * height * width for channels, height, width in contents.shapes))
    done = 0

    def advance(sub_pixels: int) -> None:
        nonlocal done
        done += sub_pixels
        job.frame(lambda: {"kind": "progress", "done": done / total})

    for number, picture in enumerate(unpack(model, contents, advance=advance)):
        job.check()
        kept = contents.stored[number] if contents.kinds.get(number) == FILE else None
        job.tell(
            {
                "kind": "picture",
                "name": names[number],
                "shape": list(picture.shape),
                "data": png(to_pil(picture, model.levels)),
                "file": None if kept is None else base64.b64encode(kept).decode(),
            }
        )


def _model(models: Sequence[Served], beginning: bytes) -> ImageModel:
    for served in models:
        if served.fingerprint.startswith(beginning):
            return served.model
    model = load_shipped(beginning)
    if model is None:
        raise InputError(
            "the file was made by a model that is neither served here nor comes with nextpixel, and the page loads "
            f"none from a file; {COMMAND}"
        )
    return model

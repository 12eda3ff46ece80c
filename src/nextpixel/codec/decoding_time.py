"""How long decoding a file takes on this machine, from a short measurement, before anything is decoded."""

from __future__ import annotations

import time

from nextpixel.codec.container import Contents
from nextpixel.codec.images import seconds_a_pixel
from nextpixel.codec.sheets import coded_sheets, groups_of_sheets, twin_of
from nextpixel.codec.tiles import labels_of
from nextpixel.codec.unpacking import LOCAL, check_fits, coded_tiles
from nextpixel.codec.wavefront import decoding_seconds as seconds_of_sheets
from nextpixel.engines.engine import images_at_once
from nextpixel.plan.stored_model import StoredModel


def decoding_seconds(model: StoredModel, contents: Contents, most_sub_pixels: int | None = None) -> float:
    """About what `nextpixel.codec.unpacking.unpack` takes, in seconds.

    Args:
        model: the model that compressed the file.
        contents: the file.
        most_sub_pixels: the most that are decoded; None for what is usual.

    Raises:
        DataError: the file is damaged, or made by another model.
        ModelError: the model cannot decompress.
    """
    check_fits(model, contents)
    return _of_pictures(model, contents) if model.family == LOCAL else _of_tiles(model, contents, most_sub_pixels)


def _of_tiles(model: StoredModel, contents: Contents, most_sub_pixels: int | None) -> float:
    # What is done here before the first pixel will be done again.
    started = time.perf_counter()
    coded = coded_tiles(model, contents, most_sub_pixels)
    seconds = time.perf_counter() - started
    measured: dict[int, float] = {}
    for group, streams in zip(coded.groups, contents.blocks, strict=True):
        height, width = group[0].height, group[0].width
        lanes = min(len(streams), images_at_once(coded.layout, height, width))
        if lanes not in measured:
            measured[lanes] = seconds_a_pixel(coded.layout, lanes, labels_of(coded.labels, group[:lanes]))
        batches = -(-len(streams) // lanes) * -(-len(group) // len(streams))
        seconds += batches * height * width * measured[lanes]
    return seconds


def _of_pictures(model: StoredModel, contents: Contents) -> float:
    twin = twin_of(model, contents)
    coded = coded_sheets(twin, contents)
    return sum(
        seconds_of_sheets(
            twin,
            [len(coded[sheet][0]) for sheet in group],
            [(sheet.height, sheet.width) for sheet in group],
            len(group[0].channels),
            group[0].on,
        )
        for group in groups_of_sheets(list(coded))
    )

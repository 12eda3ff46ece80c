"""Pictures as sheets, which a local model takes as images, and back from the blocks of a file of whole pictures.

A picture is divided into sheets: of as many channels as the model has, one sheet; else, if it has more, the first ones
as a sheet and each other channel, such as a transparency, as one of its own; else each channel.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from nextpixel.codec.adaptation import adapted, from_bytes
from nextpixel.codec.container import FIRST_PICTURES, Contents, Shape
from nextpixel.codec.local_twin import LocalTwin
from nextpixel.codec.native import LATTICE_COLOURS, LATTICE_LEVELS
from nextpixel.codec.wavefront import GROUP_PIXELS, longest_front, sheets_from, stripe_rows
from nextpixel.coding.colour_lattices import OnLattice
from nextpixel.coding.rans import TOTAL
from nextpixel.errors import DataError, ModelError
from nextpixel.plan.stored_model import StoredModel
from nextpixel.runtime.progress import Advance


class Sheet(NamedTuple):
    """What the model takes as one image.

    Attributes:
        picture: number of the picture.
        channels: those of the picture's that the sheet has.
        height: of the picture.
        width: of the picture.
        on: the lattice on which its colours lie, if they do.
    """

    picture: int
    channels: tuple[int, ...]
    height: int
    width: int
    on: OnLattice | None = None

    def pixels(self, picture: NDArray[np.uint8], model_channels: int) -> NDArray[np.uint8]:
        """Its pixels, uint8 `[C, H, W]` of the model's channels, all of them equal where there is one channel only."""
        return np.broadcast_to(picture[list(self.channels)], (model_channels, *picture.shape[1:]))

    @property
    def pixel_count(self) -> int:
        """Number of pixels."""
        return self.height * self.width


def sheets_of(model_channels: int, picture: int, shape: Shape, on: OnLattice | None = None) -> list[Sheet]:
    """The sheets of a picture.

    Args:
        model_channels: channels of the model.
        picture: its number.
        shape: of the picture.
        on: the lattice on which its colours lie, if they do.
    """
    channels, height, width = shape
    together = model_channels if channels >= model_channels else 0
    groups = [tuple(range(together))] if together else []
    groups += [(channel,) for channel in range(together, channels)]
    return [Sheet(picture, group, height, width, on if len(group) > 1 else None) for group in groups]


def pictures_from(
    model: StoredModel,
    contents: Contents,
    *,
    only: int | None = None,
    trusted: bool = False,
    advance: Advance | None = None,
) -> list[NDArray[np.uint8]]:
    """The coded pictures of a file, `[C, H, W]` each; those that are stored, or not asked for, are blank.

    Args:
        model: the model that made it.
        contents: the file.
        only: decode only the picture of this number.
        trusted: whether streams may stand for any work; see `nextpixel.coding.rans`.
        advance: called with numbers of sub-pixels done.

    Raises:
        DataError: the file is damaged.
    """
    twin = twin_of(model, contents)
    coded = coded_sheets(twin, contents)
    wanted = [sheet for sheet in coded if only in (None, sheet.picture)]
    pictures = [
        np.zeros(shape if only in (None, number) else (1, 1, 1), np.uint8)
        for number, shape in enumerate(contents.shapes)
    ]
    for group in groups_of_sheets(wanted):
        sizes = [(sheet.height, sheet.width) for sheet in group]
        streams = [coded[sheet] for sheet in group]
        for sheet, pixels in zip(
            group,
            sheets_from(twin, streams, sizes, len(group[0].channels), on=group[0].on, trusted=trusted, advance=advance),
            strict=True,
        ):
            pictures[sheet.picture][list(sheet.channels)] = pixels
    return pictures


def twin_of(model: StoredModel, contents: Contents) -> LocalTwin:
    """The integers of a model as a file changes it.

    Raises:
        DataError: they do not fit each other.
    """
    weights = adapted(model.weights, from_bytes(model.weights, contents.adaptation))
    try:
        changed = StoredModel(model.description, weights)
        return LocalTwin(changed, contents.ranges, wide_first=contents.version != FIRST_PICTURES)
    except ModelError as error:
        raise DataError(f"the file does not fit the model ({error}): it is damaged") from error


def coded_sheets(twin: LocalTwin, contents: Contents) -> dict[Sheet, list[list[bytes]]]:
    """The sheets of a file and the streams of their stripes.

    Raises:
        DataError: there are more or fewer than the pictures need, or they are shorter than they can be.
    """
    coded: dict[Sheet, list[list[bytes]]] = {}
    first = 0
    for number, shape in enumerate(contents.shapes):
        if number in contents.stored:
            continue
        on = contents.lattices.get(number)
        if on is not None and not can_lie_on_lattice(twin, shape):
            raise DataError("the file has a lattice of colours for a picture or a model without: it is damaged")
        for sheet in sheets_of(twin.channels, number, shape, on):
            rows = stripe_rows(sheet.height, sheet.width)
            stripes = contents.blocks[first : first + len(rows)]
            first += len(rows)
            if len(stripes) != len(rows):
                raise DataError("the file has fewer blocks than its pictures need: it is damaged")
            for stripe, lanes in zip(rows, stripes, strict=True):
                if not 1 <= len(lanes) <= longest_front(twin.window, len(stripe), sheet.width):
                    raise DataError("a block of the file has more lanes than pixels at once, or none: it is damaged")
                if too_short(lanes, len(stripe) * sheet.width * len(sheet.channels), twin.levels):
                    raise DataError("a block of the file is shorter than its pixels can be: it is damaged")
            coded[sheet] = stripes
    if first != len(contents.blocks):
        raise DataError("the file has more blocks than its pictures need: it is damaged")
    return coded


def can_lie_on_lattice(twin: LocalTwin, shape: Shape) -> bool:
    """Whether a model takes a picture's red, green and blue as one sheet, with all of their levels."""
    return twin.levels == LATTICE_LEVELS and twin.channels == LATTICE_COLOURS <= shape[0]


def too_short(lanes: Sequence[bytes], sub_pixels: int, levels: int) -> bool:
    """Whether a block has fewer bytes than its sub-pixels cost at least, as no level has all shares.

    So short streams cannot stand for much work. The coder itself can do with less: a level whose share begins at 0
    leaves a state of 0 as it is, so a black picture takes no byte. Pictures of such blocks are stored.
    """
    least = -math.log2((TOTAL - levels + 1) / TOTAL)
    return 8 * sum(map(len, lanes)) < least * sub_pixels - 8


def groups_of_sheets(sheets: Sequence[Sheet]) -> Iterator[list[Sheet]]:
    """Sheets that are decoded together: as many coded colours each, on one lattice, and not too many pixels."""
    for kind in dict.fromkeys((len(sheet.channels), sheet.on) for sheet in sheets):
        group: list[Sheet] = []
        pixels = 0
        for sheet in (sheet for sheet in sheets if (len(sheet.channels), sheet.on) == kind):
            if group and pixels + sheet.pixel_count > GROUP_PIXELS:
                yield group
                group, pixels = [], 0
            group.append(sheet)
            pixels += sheet.pixel_count
        if group:
            yield group

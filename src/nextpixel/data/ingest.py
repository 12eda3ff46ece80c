"""Reading a whole source once: every image through the geometry, all of one shape, into a sink."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from nextpixel.data.decode import MODE_OF_CHANNELS, too_deep
from nextpixel.data.geometry import Geometry
from nextpixel.data.source import Layout, Pixels, Rejected, Source
from nextpixel.errors import DataError

MAX_COUNTED = 1000
"""How many images are looked at after the first that does not fit, to say in the error what there is."""

ALMOST_BLACK = (
    "holds nothing but 0 and 1 of 256 levels, which is almost black; if these are two levels, store levels=2 with them"
    " in an .npz, or multiply them by 255 and ask for --levels 2"
)

KINDS = {"L": "grey", "LA": "grey with alpha", "RGB": "RGB", "RGBA": "RGB with alpha"}
Shape = tuple[int, int, int]


@dataclass(frozen=True)
class Gathered:
    """What is known once every image has been read.

    Attributes:
        shape: of every image, `(C, H, W)`.
        layout: how they are arranged.
        skipped: name and reason of each file left out.
        notes: what there is to say about the whole.
        deep: how many files had more than eight bits a channel, used or not.
        passing: whether the system was the reason for leaving one out, which may be gone the next time.
    """

    shape: Shape
    layout: Layout
    skipped: tuple[tuple[str, str], ...]
    notes: tuple[str, ...]
    deep: int
    passing: bool


def ingest(source: Source, geometry: Geometry, keep: Callable[[Pixels], object], *, any_size: bool = False) -> Gathered:
    """Read every image of a source and hand those that can be used to a sink.

    Args:
        source: where the images come from.
        geometry: what to do to each.
        keep: takes uint8 `[C, H, W]`; called once an image, in the order they are read.
        any_size: whether heights and widths may differ; the channels may not.

    Returns:
        Shape, layout and what there is to say about the whole.

    Raises:
        DataError: if no image can be used, shapes differ, or a value is not below the levels of the source.
    """
    geometry.check_levels(source.levels, source.name)
    shapes: Counter[Shape] = Counter()
    remarks: Counter[str] = Counter()
    names: list[str | None] = []
    skipped: list[tuple[str, str]] = []
    counted = deep = 0
    passing = False
    brightest, dark = 0, source.levels == 256
    for item in source.stream():
        if isinstance(item, Rejected):
            skipped.append((item.name, item.reason))
            passing = passing or item.passing
            continue
        deep += item.bits > 8
        if item.bits > 8 and geometry.depth is None:
            if item.name is None:
                raise DataError(f"image {len(names)} of {source.name} {too_deep(item.bits)}")
            skipped.append((item.name, too_deep(item.bits)))
            continue
        where = item.name or f"image {len(names)} of {source.name}"
        pixels, changes = geometry.apply(item.pixels, where)
        channels, height, width = pixels.shape
        shapes[(channels, 0, 0) if any_size else (channels, height, width)] += 1
        if len(shapes) > 1:
            counted += 1
            if counted == MAX_COUNTED:
                break
            continue
        if source.levels < 256 and pixels.max() >= source.levels:
            raise DataError(
                f"{where} holds the value {pixels.max()}, which {source.levels} levels do not have:"
                " store greater levels or smaller values"
            )
        if dark:
            brightest = max(brightest, int(pixels.max()))
            dark = brightest <= 1
        keep(pixels)
        names.append(item.name)
        remarks.update((*item.remarks, *changes))
    if len(shapes) > 1:
        raise DataError(_mixed(source.name, shapes))
    if not shapes:
        raise DataError(_nothing(source.name, skipped))
    layout = source.layout(names, [name for name, _ in skipped])
    notes = [_note(remark, count) for remark, count in remarks.items()]
    if dark and brightest == 1:
        notes.append(ALMOST_BLACK)
    return Gathered(next(iter(shapes)), layout, tuple(sorted(skipped)), (*notes, *layout.notes), deep, passing)


def _note(remark: str, count: int) -> str:
    one = count == 1
    return f"{count} image{'' if one else 's'} {remark.replace('{their}', 'its' if one else 'their')}"


def _nothing(name: str, skipped: list[tuple[str, str]]) -> str:
    if not skipped:
        return f"{name} holds no images: give a folder or an archive with files such as .png, .jpg or .webp"
    file, reason = min(skipped)
    if len(skipped) == 1:
        return f"{name} holds no image that can be used: {file} {reason}, so convert or replace it"
    return (
        f"{name} holds no image that can be used: all {len(skipped)} were skipped,"
        f" among them {file}, which {reason}, so convert or replace them"
    )


def _mixed(name: str, shapes: Counter[Shape]) -> str:
    """The sentence about images that do not fit together, with counts and remedies."""
    sizes: Counter[tuple[int, int]] = Counter()
    kinds: Counter[int] = Counter()
    for (channels, height, width), count in shapes.items():
        sizes[height, width] += count
        kinds[channels] += count
    described, remedies = [], []
    if len(kinds) > 1:
        described.append(", ".join(f"{n} {KINDS[MODE_OF_CHANNELS[c]]}" for c, n in kinds.most_common()))
        alpha = any(channels in (2, 4) for channels in kinds)
        if alpha:
            remedies.append("--drop-alpha (drop_alpha=True)")
        if len({channels - 1 if channels in (2, 4) else channels for channels in kinds}) > 1:
            remedies.append("--mode rgb (mode='rgb') or --mode grey (mode='grey')")
    if len(sizes) > 1:
        shown = ", ".join(f"{n} of {height}x{width}" for (height, width), n in sizes.most_common(6))
        rest = f" and {len(sizes) - 6} more sizes" if len(sizes) > 6 else ""
        described.append(shown + rest)
        height, width = sizes.most_common(1)[0][0]
        remedies.append(
            f"--resize {height}x{width} (resize=({height}, {width})), or the size of the model that is to take them"
        )
    what = " and ".join((["kinds"] if len(kinds) > 1 else []) + (["sizes"] if len(sizes) > 1 else []))
    total = shapes.total()
    return (
        f"the images of {name} have different {what} ({'; '.join(described)}, among the {total} looked at):"
        f" add {' and '.join(remedies)}"
    )

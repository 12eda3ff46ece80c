"""What a TIFF file holds, from the tags of all its pages."""

from __future__ import annotations

import io
import warnings
from collections import Counter

from PIL import TiffImagePlugin

from nextpixel.data.entries import Unusable
from nextpixel.data.headers.header import Alpha, Numbers, PictureHeader

Tags = dict[int, "float | tuple[float, ...]"]

MOST_PAGES = 4096
NEW_SUBFILE, OLD_SUBFILE, WIDTH, HEIGHT = 254, 255, 256, 257
BITS, COMPRESSION, PHOTOMETRIC, SAMPLES, PLANAR = 258, 259, 262, 277, 284
COLOR_MAP, SUB_IFDS, EXTRA_SAMPLES, SAMPLE_FORMAT, IMAGE_DEPTH = 320, 330, 338, 339, 32997
STRIP_OFFSETS, ROWS_PER_STRIP, STRIP_BYTES = 273, 278, 279
TILE_WIDTH, TILE_HEIGHT, TILE_OFFSETS, TILE_BYTES = 322, 323, 324, 325
WANTED = (
    *(NEW_SUBFILE, OLD_SUBFILE, WIDTH, HEIGHT, BITS, COMPRESSION, PHOTOMETRIC, SAMPLES, PLANAR),
    *(COLOR_MAP, SUB_IFDS, EXTRA_SAMPLES, SAMPLE_FORMAT, IMAGE_DEPTH),
    *(STRIP_OFFSETS, ROWS_PER_STRIP, STRIP_BYTES, TILE_WIDTH, TILE_HEIGHT, TILE_OFFSETS, TILE_BYTES),
)
SMALLER, PAGE, MASK = 1, 2, 4
WHITE_IS_ZERO, BLACK_IS_ZERO, RGB, PALETTE, TRANSPARENCY_MASK, CMYK, YCBCR = range(7)
OLD_JPEG = 6
JPEG_COMPRESSIONS = frozenset({OLD_JPEG, 7})
COLOURS = {CMYK: "CMYK", YCBCR: "YCbCr", 8: "CIELAB", 9: "ICCLAB", 10: "ITULAB", 32803: "a camera's raw sensor"}
NUMBERS: dict[int, Numbers] = {
    1: "unsigned",
    2: "signed",
    3: "floating-point",
    4: "unsigned",
    5: "complex",
    6: "complex",
}


def read_tiff_header(data: bytes) -> PictureHeader:
    """Read the header of the one picture in a TIFF file.

    Args:
        data: the content of the file, which starts as TIFF or BigTIFF do.

    Returns:
        Its header.

    Raises:
        Unusable: the file holds no picture or one of a kind that is never read.
    """
    pages = _pages(data)
    pictures = [number for number, tags in enumerate(pages) if not _role(tags) & (SMALLER | MASK)]
    if not pictures:
        raise Unusable("holds nothing but a smaller version of a picture, as a camera's raw files do: develop it")
    tags = pages[pictures[0]]
    samples = _number(tags, SAMPLES, 1)
    bits = _alike(tags, BITS, 1, samples, "bits")
    numbers = NUMBERS.get(_alike(tags, SAMPLE_FORMAT, 1, samples, "kinds of numbers"), "complex")
    photometric = _number(tags, PHOTOMETRIC, BLACK_IS_ZERO)
    by_jpeg = _number(tags, COMPRESSION, 1) in JPEG_COMPRESSIONS
    if photometric not in (WHITE_IS_ZERO, BLACK_IS_ZERO, RGB, PALETTE) and not (photometric == YCBCR and by_jpeg):
        kind = COLOURS.get(photometric, f"kind {photometric}")
        raise Unusable(f"has the colours of {kind}, which grey or RGB cannot hold without loss")
    if _number(tags, IMAGE_DEPTH, 1) != 1:
        raise Unusable("holds a volume of several slices, and only single images can be used")
    planar = _number(tags, PLANAR, 1) == 2 and samples > 1
    _check_parts(tags, samples if planar else 1)
    colours = 3 if photometric in (RGB, YCBCR) else 1
    extras = tuple(map(int, _values(tags, EXTRA_SAMPLES)))
    if photometric == PALETTE:
        _check_color_map(tags)
        bits = 8
    alpha: Alpha = "none"
    if samples == colours + 1 and extras in ((1,), (2,)):
        alpha = "premultiplied" if extras == (1,) else "straight"
    return PictureHeader(
        "TIFF",
        samples,
        bits,
        1 << bits,
        numbers,
        palette=photometric == PALETTE,
        alpha=alpha,
        planar=planar,
        pictures=len(pictures),
        page=pictures[0],
        companions=_companions(pages, pictures[0]),
        white_is_zero=photometric == WHITE_IS_ZERO,
        extra=samples - colours - (alpha != "none"),
    )


def _pages(data: bytes) -> list[Tags]:
    """The tags of every page, without reading a pixel."""
    file = io.BytesIO(data)
    directory = TiffImagePlugin.ImageFileDirectory_v2(data[:16] if data[2:4] in (b"+\0", b"\0+") else data[:8])
    pages: list[Tags] = []
    seen: set[int] = set()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        while directory.next and directory.next not in seen:
            seen.add(directory.next)
            if len(pages) == MOST_PAGES:
                raise Unusable(f"holds more than {MOST_PAGES} pages, and only single images can be used")
            file.seek(directory.next)
            directory.load(file)
            tags = {tag: directory[tag] for tag in WANTED if tag in directory}
            if WIDTH not in tags or HEIGHT not in tags:
                break
            pages.append(tags)
    if not pages:
        raise ValueError("no pages")
    return pages


def _role(tags: Tags) -> int:
    """Of what use a page is: bits of SMALLER, PAGE and MASK."""
    if NEW_SUBFILE in tags:
        return _number(tags, NEW_SUBFILE, 0)
    return SMALLER if _number(tags, OLD_SUBFILE, 1) == 2 else 0


def _companions(pages: list[Tags], picture: int) -> tuple[str, ...]:
    counts: Counter[str] = Counter()
    for number, tags in enumerate(pages):
        if number != picture and _role(tags) & (SMALLER | MASK):
            counts["mask" if _role(tags) & MASK else "smaller version"] += 1
    counts["smaller version"] += len(_values(pages[picture], SUB_IFDS))
    return tuple(f"{count} {what}{'' if count == 1 else 's'}" for what, count in counts.items() if count)


def _check_parts(tags: Tags, planes: int) -> None:
    """Refuse a picture with fewer strips or tiles than its size needs.

    Readers take what is missing as black, and some go through millions of missing strips one by one.
    """
    width, height = _number(tags, WIDTH, 0), _number(tags, HEIGHT, 0)
    if TILE_WIDTH in tags:
        kind, offsets, sizes = "tiles", _values(tags, TILE_OFFSETS), _values(tags, TILE_BYTES)
        across, down = _number(tags, TILE_WIDTH, 0), _number(tags, TILE_HEIGHT, 0)
    elif STRIP_OFFSETS in tags or _number(tags, COMPRESSION, 1) != OLD_JPEG:
        kind, offsets, sizes = "strips", _values(tags, STRIP_OFFSETS), _values(tags, STRIP_BYTES)
        across, down = width, min(height, _number(tags, ROWS_PER_STRIP, height))
    else:
        # The first files with JPEG have its bytes in a place of their own.
        return
    if min(width, height, across, down) < 1:
        raise ValueError("an empty size")
    wanted = planes * -(-width // across) * -(-height // down)
    present = len([offset for offset in offsets if offset])
    if present < wanted:
        raise Unusable(f"cannot be decoded (it has {present:,} of its {wanted:,} {kind})")
    # Files of the first years do not tell the sizes of their strips.
    if sizes and len([size for size in sizes if size]) < wanted:
        raise Unusable(f"cannot be decoded (some of its {wanted:,} {kind} are empty)")


def _check_color_map(tags: Tags) -> None:
    """Refuse a palette of 16-bit colours that eight bits do not hold."""
    values = [int(value) for value in _values(tags, COLOR_MAP)]
    # Eight bits are stored as sixteen either times 257, as the standard wants it, or times 256.
    if any(value % 257 for value in values) and any(value % 256 for value in values):
        raise Unusable("has a palette of 16-bit colours, which would lose their low bits")


def _values(tags: Tags, tag: int) -> tuple[float, ...]:
    value = tags.get(tag, ())
    return value if isinstance(value, tuple) else (value,)


def _number(tags: Tags, tag: int, default: int) -> int:
    values = _values(tags, tag)
    return int(values[0]) if values else default


def _alike(tags: Tags, tag: int, default: int, samples: int, what: str) -> int:
    """The one value that a tag has for all samples."""
    values = set(map(int, _values(tags, tag)[:samples] or (default,)))
    if len(values) > 1:
        raise Unusable(f"has samples of different {what} ({', '.join(map(str, sorted(values)))})")
    return values.pop()

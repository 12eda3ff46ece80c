"""The bytes of an .npx file; `docs/reference/format.md` describes them one by one.

Everything that a file declares is checked before memory is taken for it, as a few bytes can declare millions of
images. A CRC-32 over the whole file comes first, so
damage is told from a wrong model; a checksum of the decoded pixels comes last.
"""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from nextpixel.coding.colour_lattices import LATTICES, MOST_EXPONENT, OnLattice
from nextpixel.data.entries import is_image
from nextpixel.errors import DataError
from nextpixel.runtime.validation import MOST_SIDE

MAGIC = b"\x89NPX\r\n\x1a\n"
VERSIONS = FIRST_TILES, FIRST_PICTURES, TILES, PICTURES, LATTICE_PICTURES = 1, 2, 3, 4, 5
"""Files of tiles, of families whose images have one size, and of whole pictures, in the arithmetic that each had first;
of both as they are written; and of whole pictures of which some lie on a lattice of colours."""

OF_PICTURES = (FIRST_PICTURES, PICTURES, LATTICE_PICTURES)

DEFLATE, PNG, WEBP, FILE = range(4)
"""How a stored image is stored: deflated, as the bytes of such a file, or as those of the file that was given."""

ONE_IMAGE, HAS_NAMES, HAS_LABELS, HAS_MODEL = 1, 2, 4, 8
MOST_SUB_PIXELS = 256 * 10**6
"""Of all images of a file, unless whoever reads it allows more."""

LEAST_COUNTED = 1024
"""Sub-pixels that an image or a tile counts as at least, towards that limit: what it takes even if it is smaller."""

FREE_SUB_PIXELS, MOST_RATIO = 2**16, 2**11
"""Likewise so many, and so many for each byte but those of the model: a lane can hold any number of sub-pixels that are
certain in no bytes at all, and each of them takes its time."""

COUNTED_A_SIDE = 256
"""Likewise so many for each row and column of a picture of versions 2, 4 and 5: what is narrow has few pixels in a
wavefront, and each wavefront takes its time."""

STORED_PART = 64
"""A sub-pixel of a stored image counts as so small a part of one towards that, as it takes no more time."""

FINGERPRINT_BYTES = 8
MOST_NAME_BYTES, MOST_PART_BYTES = 1000, 240
DEVICE = re.compile(r"(con|prn|aux|nul|conin\$|conout\$|(com|lpt)[0-9¹²³]) *(\..*)?", re.IGNORECASE | re.DOTALL)
"""Names that stand for devices on Windows, with any ending."""

Shape = tuple[int, int, int]


@dataclass
class Contents:
    """What a file holds.

    Attributes:
        fingerprint: `FINGERPRINT_BYTES` bytes that tell which model made it.
        levels: values that a sub-pixel can take.
        ranges: of the integer twin's activations.
        checksum: CRC-32 of all pixels, image after image; of the bytes of those that are kept as files.
        shapes: `(C, H, W)` of each image.
        blocks: the streams of the lanes of what was coded together, in order: of tiles, or of a stripe of a picture.
        stored: images that the model does badly on, by number of the image.
        names: of the images, or None.
        labels: of the images, or None.
        one_image: whether it is a single image rather than a batch of one.
        model: files of the model, by name, where they come along.
        version: of the format, one of `VERSIONS`.
        kinds: how an image is stored, by number of the image, where it is not deflated. Not in version 1.
        adaptation: what changes the model's weights; see `nextpixel.codec.adaptation`. Versions 2, 4 and 5.
        lattices: of colours on which coded pictures lie, by number of the picture. Version 5.
    """

    fingerprint: bytes
    levels: int
    ranges: list[int]
    checksum: int
    shapes: list[Shape]
    blocks: list[list[bytes]]
    stored: dict[int, bytes] = field(default_factory=dict)
    names: list[str] | None = None
    labels: list[int] | None = None
    one_image: bool = False
    model: dict[str, bytes] = field(default_factory=dict)
    version: int = TILES
    kinds: dict[int, int] = field(default_factory=dict)
    adaptation: bytes = b""
    lattices: dict[int, OnLattice] = field(default_factory=dict)


def write(contents: Contents) -> bytes:
    """The bytes of a file."""
    flags = (
        ONE_IMAGE * contents.one_image
        | HAS_NAMES * (contents.names is not None)
        | HAS_LABELS * (contents.labels is not None)
        | HAS_MODEL * bool(contents.model)
    )
    parts = [MAGIC, bytes([contents.version, flags]), contents.fingerprint, bytes([contents.levels - 1])]
    pairs = [*contents.ranges, *[0] * (len(contents.ranges) % 2)]
    nibbles = bytes(low | high << 4 for low, high in zip(pairs[::2], pairs[1::2], strict=True))
    parts += [varint(len(contents.ranges)), nibbles, struct.pack("<I", contents.checksum)]
    if contents.version in OF_PICTURES:
        parts.append(_sized(contents.adaptation))
    runs: list[tuple[Shape, int]] = []
    for shape in contents.shapes:
        if runs and runs[-1][0] == shape:
            runs[-1] = (shape, runs[-1][1] + 1)
        else:
            runs.append((shape, 1))
    parts.append(varint(len(runs)))
    for shape, count in runs:
        parts += [varint(number) for number in (count, *shape)]
    if contents.names is not None:
        parts.append(_sized(deflate("\0".join(contents.names).encode())))
    if contents.labels is not None:
        parts.append(_sized(deflate(b"".join(map(varint, contents.labels)))))
    parts.append(varint(len(contents.stored)))
    for image, data in sorted(contents.stored.items()):
        kind = [varint(contents.kinds.get(image, DEFLATE))] if contents.version != FIRST_TILES else []
        parts += [varint(image), *kind, _sized(data)]
    if contents.version == LATTICE_PICTURES:
        parts.append(varint(len(contents.lattices)))
        for image, (lattice, exponent) in sorted(contents.lattices.items()):
            parts += [varint(image), varint(lattice), varint(exponent)]
    parts.append(varint(len(contents.blocks)))
    for lanes in contents.blocks:
        parts += [varint(len(lanes)), *(varint(len(lane)) for lane in lanes)]
    parts += [lane for lanes in contents.blocks for lane in lanes]
    if contents.model:
        parts.append(varint(len(contents.model)))
        for name, data in contents.model.items():
            parts += [_sized(name.encode()), _sized(data)]
    body = b"".join(parts)
    return body + struct.pack("<I", zlib.crc32(body))


def allowed_sub_pixels(size: int) -> int:
    """The most sub-pixels that are decoded of a file of so many bytes, the model not counted, if nobody allows more."""
    return min(MOST_SUB_PIXELS, FREE_SUB_PIXELS + MOST_RATIO * size)


def counted_sub_pixels(shapes: Sequence[Shape], stored: Collection[int], version: int) -> int:
    """What images of a file of a version count towards such a limit; those with these numbers are stored."""
    total = 0
    for number, (channels, height, width) in enumerate(shapes):
        sub_pixels = channels * height * width
        if number in stored:
            sub_pixels //= STORED_PART
        elif version in OF_PICTURES:
            sub_pixels = max(sub_pixels, COUNTED_A_SIDE * (height + width))
        total += max(sub_pixels, LEAST_COUNTED)
    return total


def read(data: bytes, most_sub_pixels: int | None = None) -> Contents:
    """The contents of a file.

    Args:
        data: its bytes.
        most_sub_pixels: the most sub-pixels that its images may have together; None for `allowed_sub_pixels`.

    Raises:
        DataError: it is no such file, is damaged, of a newer version, or declares more than allowed.
    """
    if not data.startswith(MAGIC):
        raise DataError("the file is not an .npx file: it does not begin as one does")
    if len(data) < len(MAGIC) + 6 or zlib.crc32(data[:-4]) != struct.unpack("<I", data[-4:])[0]:
        raise DataError("the file is damaged or incomplete: its checksum does not fit; fetch it anew")
    reader = _Reader(data[:-4], len(MAGIC))
    version, flags = reader.byte(), reader.byte()
    if version not in VERSIONS or flags >= 2 * HAS_MODEL:
        raise DataError(
            f"the file is of format version {version} with flags {flags}, this nextpixel reads versions "
            f"{', '.join(map(str, VERSIONS))} with flags below {2 * HAS_MODEL}: upgrade nextpixel"
        )
    fingerprint, levels = reader.take(FINGERPRINT_BYTES), reader.byte() + 1
    count = reader.count()
    nibbles = reader.take(-(-count // 2))
    halves = [byte >> shift & 15 for byte in nibbles for shift in (0, 4)]
    ranges = halves[:count]
    if any(halves[count:]):
        raise DataError("the half of a byte that the ranges of the file leave over is not 0: it is damaged")
    checksum = struct.unpack("<I", reader.take(4))[0]
    adaptation = reader.sized() if version in OF_PICTURES else b""
    declared = min(MOST_SUB_PIXELS, STORED_PART * allowed_sub_pixels(len(data)))
    shapes = _read_shapes(reader, declared if most_sub_pixels is None else most_sub_pixels)
    one_image = bool(flags & ONE_IMAGE)
    if one_image and len(shapes) != 1:
        raise DataError(f"the file holds {len(shapes)} images and calls them one: it is damaged")
    names = labels = None
    if flags & HAS_NAMES:
        names = _read_names(_inflate(reader.sized(), (MOST_NAME_BYTES + 1) * len(shapes)), len(shapes))
    if flags & HAS_LABELS:
        inner = _Reader(_inflate(reader.sized(), 10 * len(shapes)), 0)
        labels = [inner.number() for _ in shapes]
        inner.check_end("labels")
    stored: dict[int, bytes] = {}
    kinds: dict[int, int] = {}
    last = -1
    for _ in range(reader.count()):
        image = reader.number()
        if image <= last:
            raise DataError("the stored images of the file are not in ascending order: it is damaged")
        last = image
        if image >= len(shapes):
            raise DataError(f"the file stores an image {image} that it does not have: it is damaged")
        if version != FIRST_TILES and (kind := reader.number()) != DEFLATE:
            if kind not in (PNG, WEBP, FILE):
                raise DataError(
                    f"the file stores an image in a way {kind} that this nextpixel does not know: upgrade it"
                )
            if kind == FILE and names is None:
                raise DataError("the file keeps a picture file without its name: it is damaged")
            kinds[image] = kind
        stored[image] = reader.sized()
    lattices = _read_lattices(reader, len(shapes), stored) if version == LATTICE_PICTURES else {}
    lengths = [[reader.number() for _ in range(reader.count())] for _ in range(reader.count())]
    blocks = [[reader.take(length) for length in lanes] for lanes in lengths]
    model = {}
    if flags & HAS_MODEL:
        model = _read_model(reader)
    size = len(data) - sum(map(len, model.values()))
    if most_sub_pixels is None and counted_sub_pixels(shapes, stored, version) > allowed_sub_pixels(size):
        raise _too_much(allowed_sub_pixels(size))
    if reader.at != len(reader.data):
        raise DataError("the file is longer than what it holds: it is damaged")
    return Contents(
        fingerprint,
        levels,
        ranges,
        checksum,
        shapes,
        blocks,
        stored,
        names,
        labels,
        one_image,
        model,
        version,
        kinds,
        adaptation,
        lattices,
    )


def _read_lattices(reader: _Reader, count: int, stored: Collection[int]) -> dict[int, OnLattice]:
    """The lattices on which pictures lie, by number of the picture, of which there are `count`."""
    lattices: dict[int, OnLattice] = {}
    last = -1
    for _ in range(reader.count()):
        image, number, exponent = (reader.number() for _ in range(3))
        if not last < image < count:
            raise DataError(
                "the pictures on lattices in the file are not in ascending order, or not there: it is damaged"
            )
        if image in stored:
            raise DataError(f"the file stores an image {image} and has a lattice of colours for it: it is damaged")
        if number not in LATTICES:
            raise DataError(f"the file has a lattice {number} of colours that this nextpixel does not know: upgrade it")
        if exponent > MOST_EXPONENT:
            raise DataError(f"the file has an exponent {exponent} of a lattice, which cannot be: it is damaged")
        last = image
        lattices[image] = OnLattice(number, exponent)
    if not lattices:
        raise DataError("the file is of a version for lattices of colours, and has none: it is damaged")
    return lattices


def deflate(data: bytes) -> bytes:
    """Raw DEFLATE (RFC 1951), which `read` and `inflate_pixels` undo."""
    deflater = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    return deflater.compress(data) + deflater.flush()


def inflate_pixels(data: bytes, shape: Shape) -> bytes:
    """The pixels of a stored image.

    Raises:
        DataError: they are damaged, or more or fewer than the shape says.
    """
    size = shape[0] * shape[1] * shape[2]
    pixels = _inflate(data, size)
    if len(pixels) != size:
        raise DataError("a stored image of the file is shorter than its size says: it is damaged")
    return pixels


def _read_model(reader: _Reader) -> dict[str, bytes]:
    """The files of the model, by name."""
    files: dict[str, bytes] = {}
    for _ in range(reader.count()):
        spelled = reader.sized()
        try:
            name = spelled.decode()
        except UnicodeDecodeError as error:
            raise DataError("the name of a file of the model in the file is no text: it is damaged") from error
        if len(spelled) > MOST_NAME_BYTES or name in files:
            raise DataError(
                f"the file has a file {name[:80]!r} of the model twice, or its name is too long: it is damaged"
            )
        files[name] = reader.sized()
    if not files:
        raise DataError("the file says that the model is in it, and has none of its files: it is damaged")
    return files


def _read_shapes(reader: _Reader, most_sub_pixels: int) -> list[Shape]:
    shapes: list[Shape] = []
    total = 0
    for _ in range(reader.count()):
        count, channels, height, width = (reader.number() for _ in range(4))
        if not (count and 1 <= channels <= 4 and 1 <= height <= MOST_SIDE and 1 <= width <= MOST_SIDE):
            raise DataError(f"the file declares images of {channels} x {height} x {width}, which cannot be")
        if shapes and shapes[-1] == (channels, height, width):
            raise DataError("the file divides images of one shape into two runs: it is damaged")
        total += count * max(channels * height * width, LEAST_COUNTED)
        if total > most_sub_pixels:
            raise _too_much(most_sub_pixels)
        shapes += [(channels, height, width)] * count
    return shapes


def _too_much(most_sub_pixels: int) -> DataError:
    return DataError(
        f"the file declares more than {most_sub_pixels} sub-pixels ({LEAST_COUNTED} at least for each image), the most "
        "that are decoded of so small a file; if you trust it, allow more by --most-megapixels (most_sub_pixels in "
        "Python)"
    )


def _read_names(data: bytes, count: int) -> list[str]:
    # Counted before they are divided: a few bytes can inflate to very many empty names.
    if data.count(b"\0") != max(0, count - 1):
        raise DataError(f"the file has more or fewer names than its {count} images: it is damaged")
    parts = data.split(b"\0") if count else []
    if any(len(part) > MOST_NAME_BYTES for part in parts):
        raise DataError(f"the file holds a name of more than {MOST_NAME_BYTES} bytes: it is damaged")
    try:
        return [part.decode() for part in parts]
    except UnicodeDecodeError as error:
        raise DataError("the names in the file are no text: it is damaged") from error


def _inflate(data: bytes, most: int) -> bytes:
    """Inflate at most so many bytes.

    Raises:
        DataError: they are damaged or more.
    """
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        inflated = inflater.decompress(data, max(1, most))
    except zlib.error as error:
        raise DataError(f"a part of the file cannot be inflated ({error}): it is damaged") from error
    if not inflater.eof or inflater.unused_data or len(inflated) > most:
        raise DataError("a part of the file is longer than it may be: it is damaged")
    return inflated


def varint(value: int) -> bytes:
    """An integer, seven bits a byte, the lowest first; all bytes but the last have their highest bit set."""
    septets = bytearray()
    while value >= 128:
        septets.append(value & 127 | 128)
        value >>= 7
    return bytes([*septets, value])


def _sized(data: bytes) -> bytes:
    return varint(len(data)) + data


class _Reader:
    """Reads what `write` wrote, and never past the end."""

    def __init__(self, data: bytes, at: int) -> None:
        self.data, self.at = data, at

    def take(self, size: int) -> bytes:
        if size > len(self.data) - self.at:
            raise DataError("the file ends within what it declares: it is damaged")
        self.at += size
        return self.data[self.at - size : self.at]

    def byte(self) -> int:
        return self.take(1)[0]

    def number(self) -> int:
        value = shift = 0
        while True:
            byte = self.byte()
            value |= (byte & 127) << shift
            if byte < 128:
                if shift and not byte:
                    raise DataError("the file spells a number in more bytes than it needs: it is damaged")
                return value
            shift += 7
            if shift > 56:
                raise DataError("the file holds a number that is too large: it is damaged")

    def count(self) -> int:
        """A number of things that follow, of which two take a byte at least."""
        value = self.number()
        if value > 2 * (len(self.data) - self.at):
            raise DataError("the file declares more parts than it has bytes: it is damaged")
        return value

    def check_end(self, what: str) -> None:
        """Raise `DataError` where bytes are left over."""
        if self.at != len(self.data):
            raise DataError(f"the {what} of the file are followed by bytes that are none: it is damaged")

    def sized(self) -> bytes:
        return self.take(self.number())


def picture_names(contents: Contents) -> list[str]:
    """The names of the files that its pictures become: .png files, or those that it keeps.

    Pictures without names are numbered.

    Raises:
        DataError: a name leads out of a folder, has no ending of a picture, or is there twice.
    """
    digits = len(str(len(contents.shapes)))
    names = contents.names or [f"{number:0{digits}d}.png" for number in range(len(contents.shapes))]
    files = {number for number, kind in contents.kinds.items() if kind == FILE}
    if bad := [names[number] for number in files if not is_image(names[number])]:
        raise DataError(f"the file {bad[0]!a} that it keeps has no ending of a picture: it is damaged")
    names = [
        name if number in files or name.lower().endswith(".png") else f"{name}.png" for number, name in enumerate(names)
    ]
    check_names(names)
    return names


def check_names(names: Sequence[str]) -> None:
    """Refuse names of files that lead out of the folder they are written to, or cannot stand beside each other.

    What some system cannot write is refused everywhere, also by whoever compresses: a file can be decompressed on any
    machine, and nowhere goes to a device.

    Raises:
        DataError: naming the first one.
    """
    seen: set[str] = set()
    folders = {parent for name in names for parent in folders_of(name.casefold())}
    for name in names:
        parts = name.split("/")
        bad = any(
            part in ("", ".", "..")
            or not part.isprintable()
            or any(character in '\\:*?"<>|' for character in part)
            or part[-1] in ". "
            or DEVICE.fullmatch(part)
            or len(part.encode("utf-8", "replace")) > MOST_PART_BYTES
            for part in parts
        )
        if bad or len(name.encode("utf-8", "replace")) > MOST_NAME_BYTES or parts[-1].lower() in ("png", ".png"):
            raise DataError(f"the name {name[:80]!a} is no plain relative name of a file: rename it")
        if name.casefold() in seen or name.casefold() in folders:
            raise DataError(f"the name {name[:80]!a} stands for two files, or for a file and a folder: rename it")
        seen.add(name.casefold())


def folders_of(name: str) -> list[str]:
    """The folders above a file, by its name."""
    parts = name.split("/")
    return ["/".join(parts[:count]) for count in range(1, len(parts))]

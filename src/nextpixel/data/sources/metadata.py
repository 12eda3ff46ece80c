"""Labels and vectors in tables: `metadata.csv` and `metadata.jsonl` beside images, as in Hugging Face imagefolder."""

from __future__ import annotations

import csv
import io
import json
import math
import posixpath
import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import NamedTuple

from nextpixel.data.composed import composed
from nextpixel.errors import DataError

WHOLE_NUMBER = re.compile(r"0|-?[1-9][0-9]{0,18}", re.ASCII)
Label = str | int


class Row(NamedTuple):
    """What a table says of an image.

    Attributes:
        label: its class; None where the table has none.
        numbers: what the table has for a vector; None where it has nothing.
        place: what to call the row in errors.
    """

    label: Label | None
    numbers: object
    place: str

    def vector(self) -> tuple[float, ...] | None:
        """The numbers that belong to the image, if there are any.

        Raises:
            DataError: they are no numbers.
        """
        return _vector(self.numbers, self.place)


class Table(NamedTuple):
    """What all tables of a source say.

    Attributes:
        rows: what is said of each file, by its name.
        error: why the tables cannot be used, though they are of these images; None if they can.
        notes: sentences for the user, of tables that are not of these images.
    """

    rows: dict[str, Row]
    error: str | None = None
    notes: tuple[str, ...] = ()


class _Foreign(Exception):  # noqa: N818 - a verdict on one table, never shown as an error
    """A table that is of something else; its text is the reason."""


def read_metadata(tables: Mapping[str, bytes], images: Sequence[str], where: str) -> Table:
    """Read all tables of one source.

    Args:
        tables: relative name and content of each.
        images: names of all image files of the source, readable or not.
        where: what to call the source in errors.

    Returns:
        What they say. A table that names none of the images is not used, and a table that does but does not fit them
        gives an error, which matters only to those who want what it says.
    """
    if not tables:
        return Table({})
    names = {composed(name): name for name in images}
    rows: dict[str, Row] = {}
    notes: list[str] = []
    try:
        for table in sorted(tables):
            place = f"{table} in {where}"
            try:
                said = _read_table(table, tables[table], place, len(images))
            except _Foreign as reason:
                notes.append(f"read without {table}, which {reason}")
                continue
            if said and not said.keys() & names.keys():
                notes.append(
                    f"read without {table}, which names none of the images (its first file is {next(iter(said))})"
                )
                continue
            twice = sorted(said.keys() & rows.keys())
            if twice:
                raise DataError(f"{place} names {twice[0]}, which has a row already: keep one of them")
            rows |= said
        if rows:
            _match_rows(rows, names, len(images), where)
    except DataError as error:
        return Table({}, str(error), tuple(notes))
    return Table({names[path]: row for path, row in rows.items()}, None, tuple(notes))


def _read_table(table: str, content: bytes, place: str, most: int) -> dict[str, Row]:
    """What a table of so many rows at most says of each file, by its composed name relative to the source."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise _Foreign("is not UTF-8 text: save it as UTF-8") from None
    said: dict[str, Row] = {}
    lines = _csv_rows(text, place, most) if table.endswith(".csv") else _json_rows(text, place, most)
    for number, file_name, label, numbers in lines:
        if not isinstance(file_name, str) or not file_name:
            raise DataError(f"{place}: row {number} has no file_name, so add the name of its image")
        path = posixpath.join(posixpath.dirname(table), file_name.replace("\\", "/"))
        path = composed(posixpath.normpath(path))
        if path in said:
            raise DataError(f"{place}: row {number} names {path}, which has a row already: keep one of them")
        name = composed(label) if isinstance(label, str) else label
        said[path] = Row(name, numbers, f"{place}: row {number}")
    return said


def _vector(numbers: object, place: str) -> tuple[float, ...] | None:
    """Numbers from a list, or from text between spaces, commas or semicolons, with or without brackets."""
    if numbers is None:
        return None
    items = re.split(r"[\s,;]+", numbers.strip("[]() \t")) if isinstance(numbers, str) else numbers
    try:
        if not isinstance(items, list) or any(isinstance(item, bool) for item in items):
            raise TypeError
        vector = tuple(map(float, items))
    except (TypeError, ValueError):
        vector = ()
    if not vector or not all(map(math.isfinite, vector)):
        raise DataError(f"{place} has the vector {str(numbers)[:60]!r}: write numbers with spaces between them")
    return vector


def _too_many(place: str, most: int) -> DataError:
    return DataError(
        f"{place} has more rows than there are images, which are {most}: remove the rows of others, and those that "
        "stand twice"
    )


def _csv_rows(text: str, place: str, most: int) -> Iterator[tuple[int, object, Label | None, object]]:
    """Yield row number, file name, label and vector; labels are integers if all in the table are written like one."""
    try:
        reader = csv.reader(io.StringIO(text, newline=""), skipinitialspace=True)
        first = next(reader, [])
        # Taken one by one, so that no more rows are held than there can be.
        lines = [first, *islice(filter(None, reader), most + 1)]
    except csv.Error as error:
        raise _Foreign(f"is not a readable CSV table ({error})") from None
    columns = [column.strip() for column in lines[0]] if lines else []
    if "file_name" not in columns:
        if columns and "file_name" in columns[0].split(";"):
            raise DataError(f"{place} is divided by semicolons: save it with commas")
        raise _Foreign("has no column file_name: add one with the names of the images")
    if len(lines) > most + 1:
        raise _too_many(place, most)
    rows = [dict(zip(columns, map(str.strip, line), strict=False)) for line in lines[1:] if line]
    # "01" is a name: as a number it would be the same as "1".
    numeric = "label" in columns and all(WHOLE_NUMBER.fullmatch(row.get("label", "")) for row in rows)
    for number, row in enumerate(rows, 1):
        text = row.get("label", "")
        label = int(text) if numeric else text if text else None
        yield number, row.get("file_name"), label, row.get("vector")


def _json_rows(text: str, place: str, most: int) -> Iterator[tuple[int, object, Label | None, object]]:
    """Yield line number, file name, label and vector."""
    lines = [(number, line) for number, line in enumerate(text.split("\n"), 1) if line.strip()]
    rows = []
    for number, line in lines:
        try:
            row = json.loads(line)
        except (ValueError, RecursionError):
            row = None
        if not isinstance(row, dict):
            raise _Foreign(f'is no JSON object such as {{"file_name": "a.png"}} in line {number}')
        rows.append((number, row))
        if len(rows) > most:
            raise _too_many(place, most)
    if not any(isinstance(row.get("file_name"), str) for _, row in rows):
        raise _Foreign("has no file_name in any line: add the names of the images")
    for number, row in rows:
        label = row.get("label")
        if "label" in row and label is not None and (not isinstance(label, str | int) or isinstance(label, bool)):
            raise DataError(f"{place}: line {number} has the label {label!r}, which must be a text or a whole number")
        yield number, row.get("file_name"), label, row.get("vector")


def _match_rows(rows: Mapping[str, Row], names: Mapping[str, str], images: int, where: str) -> None:
    """Check that rows and images belong to each other one to one.

    Args:
        rows: what the tables say, by composed name.
        names: names of all image files of the source, by composed name.
        images: how many there are.
        where: what to call the source in errors.

    Raises:
        DataError: naming a row without an image or an image without a row.
    """
    if len(names) < images:
        raise DataError(f"{where} has two files whose names differ in nothing but how accents are written: rename one")
    missing = sorted(rows.keys() - names.keys())
    if missing:
        raise DataError(f"the metadata of {where} name {missing[0]}, which is not there: remove the row or add it")
    bare = sorted(names.keys() - rows.keys())
    if bare:
        raise DataError(f"{bare[0]} in {where} has no row in the metadata: add one or remove the image")

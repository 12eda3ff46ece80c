"""Labels and vectors in tables: `metadata.csv` and `metadata.jsonl` beside images, as in Hugging Face imagefolder."""

from __future__ import annotations

import csv
import io
import json
import math
import posixpath
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from nextpixel.errors import DataError

WHOLE_NUMBER = re.compile(r"[+-]?[0-9]{1,19}", re.ASCII)
Label = str | int


class Row(NamedTuple):
    """What a table says of an image.

    Attributes:
        label: its class; None where the table has none.
        vector: numbers that belong to it; None where the table has none.
    """

    label: Label | None
    vector: tuple[float, ...] | None


def read_metadata(tables: Mapping[str, bytes], where: str) -> dict[str, Row]:
    """Reads all tables of one source.

    Args:
        tables: Relative name and content of each.
        where: What to call the source in errors.

    Returns:
        For each file that a row names (relative to the source) what the row says of it.

    Raises:
        DataError: If a table cannot be read, a row has no file name, or two rows name the same file.
    """
    found: dict[str, Row] = {}
    for table in sorted(tables):
        place = f"{table} in {where}"
        try:
            text = tables[table].decode("utf-8-sig")
        except UnicodeDecodeError:
            raise DataError(f"{place} is not UTF-8 text: save it as UTF-8.") from None
        rows = _csv_rows(text, place) if table.endswith(".csv") else _json_rows(text, place)
        for number, file_name, label, numbers in rows:
            if not isinstance(file_name, str) or not file_name:
                raise DataError(f"{place}: row {number} has no file_name, so add the name of its image.")
            path = posixpath.join(posixpath.dirname(table), file_name.replace("\\", "/"))
            path = posixpath.normpath(path)
            if path in found:
                raise DataError(f"{place}: row {number} names {path}, which has a row already: keep one of them.")
            found[path] = Row(label, _vector(numbers, f"{place}: row {number}"))
    return found


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
        raise DataError(f"{place} has the vector {str(numbers)[:60]!r}: write numbers with spaces between them.")
    return vector


def _csv_rows(text: str, place: str) -> Iterator[tuple[int, object, Label | None, object]]:
    """Yields row number, file name, label and vector; labels are integers if all in the table look like it."""
    try:
        reader = csv.DictReader(io.StringIO(text, newline=""))
        columns = reader.fieldnames or ()
        rows = list(reader)
    except csv.Error as error:
        raise DataError(f"{place} is not a readable CSV table ({error}): write it anew.") from None
    if "file_name" not in columns:
        raise DataError(f"{place} has no column file_name: add one with the names of the images.")
    if "label" not in columns:
        for number, row in enumerate(rows, 1):
            yield number, row["file_name"], None, row.get("vector")
        return
    numeric = all(WHOLE_NUMBER.fullmatch(row["label"] or "") for row in rows)
    for number, row in enumerate(rows, 1):
        if not row["label"]:
            raise DataError(f"{place}: row {number} has no label: give every image one.")
        yield number, row["file_name"], int(row["label"]) if numeric else row["label"], row.get("vector")


def _json_rows(text: str, place: str) -> Iterator[tuple[int, object, Label | None, object]]:
    """Yields line number, file name, label and vector."""
    lines = [(number, line) for number, line in enumerate(text.split("\n"), 1) if line.strip()]
    rows = []
    for number, line in lines:
        try:
            row = json.loads(line)
        except (ValueError, RecursionError):
            row = None
        if not isinstance(row, dict):
            raise DataError(f'{place}: line {number} is not a JSON object such as {{"file_name": "a.png"}}.')
        rows.append((number, row))
    labelled = any("label" in row for _, row in rows)
    for number, row in rows:
        label = row.get("label")
        if labelled and (not isinstance(label, str | int) or isinstance(label, bool)):
            raise DataError(f"{place}: line {number} has the label {label!r}, which must be a text or a whole number.")
        yield number, row.get("file_name"), label, row.get("vector")


def match_rows(table: Mapping[str, Row], images: Iterable[str], where: str) -> None:
    """Checks that rows and images belong to each other one to one.

    Args:
        table: What `read_metadata` returned.
        images: Names of all image files of the source, readable or not.
        where: What to call the source in errors.

    Raises:
        DataError: Naming a row without an image or an image without a row.
    """
    present = set(images)
    missing = sorted(table.keys() - present)
    if missing:
        raise DataError(f"the metadata of {where} name {missing[0]}, which is not there: remove the row or add it.")
    bare = sorted(present - table.keys())
    if bare:
        raise DataError(f"{bare[0]} in {where} has no row in the metadata: add one or remove the image.")

"""Fill the table of thumbnails in `docs/results/compression.md` from the record beside it. No figure is typed by hand.

    python docs/scripts/compression.py

`benchmarks/codec.py --record docs/results/compression.json` writes the record; `readme_rows` are rows of the README.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

from tables import fill, lines_of, marked

DOCS = Path(__file__).parents[1]
RECORD = DOCS / "results" / "compression.json"
PAGE = DOCS / "results" / "compression.md"
SETS = {
    "fashion-mnist-train": "Fashion-MNIST",
    "mnist-train": "MNIST",
    "cifar10-first4000-train": "CIFAR-10",
}
FORMATS = ["PNG", "WebP", "JPEG XL"]
IN_README = ["fashion-mnist-train", "cifar10-first4000-train"]
MARKED = marked("compression", "sizes")

Record = dict[str, Any]


def main() -> None:
    """Fill the page, and print the rows of the README."""
    records = json.loads(RECORD.read_text(encoding="utf-8"))
    PAGE.write_text(filled(PAGE.read_text(encoding="utf-8"), records), encoding="utf-8")
    print(PAGE, *readme_rows(records), sep="\n")


def filled(page: str, records: Record) -> str:
    """A page with the table of the records."""
    return fill(MARKED, page, sizes(records))


def sizes(records: Record) -> str:
    """Bits per sub-pixel of each set by the model that ships, and in other formats."""
    chosen = [records[name] for name in SETS if name in records]
    lines = [
        ["", *(f"{SETS[name]}, {records[name]['images']:,} images" for name in SETS if name in records)],
        ["---"] * (1 + len(chosen)),
        ["model", *(f"`{record['model']}`" for record in chosen)],
        ["the model", *(_bits(record, "model_bytes", 4) for record in chosen)],
        ["its integer twin", *(f"{_bits(record, 'twin_bytes', 4)} ({_cost(record):+.3%})" for record in chosen)],
        ["the file", *(f"**{_bits(record, 'file_bytes', 4)}**" for record in chosen)],
    ]
    lines += [
        [
            f"{form}, a file for each image / one sheet",
            *(f"{_bits(record, f'{form} files')} / {_bits(record, f'{form} sheet')}" for record in chosen),
        ]
        for form in FORMATS
    ]
    lines.append(["smaller than the best sheet by", *(f"{_saved(record):.1%}" for record in chosen)])
    lines.append(["with the model it pays from", *(_pays_from(record) for record in chosen)])
    return lines_of(lines)


def readme_rows(records: Record) -> list[str]:
    """The rows of the README's table that are about sizes."""
    return [
        f"| lossless compression | {records[name]['images']:,} images of {SETS[name]} | "
        f"{_best(_bits(records[name], 'file_bytes'), _saved(records[name]) > 0)} bits per dimension, the model not "
        f"counted | {_others(records[name])}, all images in one sheet |"
        for name in IN_README
    ]


def _others(record: Record) -> str:
    order = sorted(FORMATS, key=lambda form: record[f"{form} sheet"])
    rates = {form: _bits(record, f"{form} sheet") for form in order}
    return ", ".join(
        f"{_best(rates[form], place == 0 and _saved(record) < 0)} {form}" for place, form in enumerate(order)
    )


def _best(rate: str, is_best: bool) -> str:
    return f"**{rate}**" if is_best else rate


def _bits(record: Record, key: str, digits: int = 2) -> str:
    return f"{8 * record[key] / record['sub_pixels']:.{digits}f}"


def _cost(record: Record) -> float:
    """The part by which the twin takes more than the model."""
    return float(record["twin_bytes"] / record["model_bytes"] - 1)


def _best_sheet(record: Record) -> int:
    return min(int(record[f"{form} sheet"]) for form in FORMATS)


def _saved(record: Record) -> float:
    """The part by which the file is smaller than the best sheet."""
    return 1 - float(record["file_bytes"]) / _best_sheet(record)


def _pays_from(record: Record) -> str:
    """How many images outweigh the model's own bytes."""
    saved = _best_sheet(record) - record["file_bytes"]
    return f"{math.ceil(record['weights_bytes'] * record['images'] / saved):,} images" if saved > 0 else "never"


if __name__ == "__main__":
    main()

"""Fill the table of completions in `docs/results/completion.md` from the record beside it. No figure is typed by hand.

    python docs/scripts/completion.py

`benchmarks/completion.py --record docs/results/completion.json` writes the record.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tables import fill, lines_of, marked

DOCS = Path(__file__).parents[1]
RECORD = DOCS / "results" / "completion.json"
PAGE = DOCS / "results" / "completion.md"
SETS = {"mnist-train": "MNIST", "fashion-mnist-train": "Fashion-MNIST"}
MARKED = marked("completion", "nats")

Record = dict[str, Any]


def main() -> None:
    """Fill the page."""
    records = json.loads(RECORD.read_text(encoding="utf-8"))
    PAGE.write_text(filled(PAGE.read_text(encoding="utf-8"), records), encoding="utf-8")
    print(PAGE)


def filled(page: str, records: Record) -> str:
    """A page with the table of the records."""
    return fill(MARKED, page, table(records))


def table(records: Record) -> str:
    """The nats of the true pixels in every way, a line for each set, mask and training."""
    lines = [
        [
            "images",
            "unknown",
            "`--known-first`, training",
            "given all that is known",
            "mean of 8 orders",
            "row by row",
            "`--candidates`",
            "effective candidates",
        ],
        ["---"] * 8,
    ]
    for name, title in SETS.items():
        runs = records.get(name, {})
        for mask in next(iter(runs.values()))["masks"] if runs else ():
            for share, record in sorted(runs.items()):
                lines.append(row(title, mask, share, record))
    return lines_of(lines)


def row(title: str, mask: str, share: str, record: Record) -> list[str]:
    """A line of the table, whose best figures are marked."""
    measured = record["masks"][mask]
    nats = measured["nats"]
    lowest = min(mean for mean, _ in nats.values())
    figures = []
    for way in ("exact", "orders", "rows", "candidates"):
        mean, error = nats[way]
        figure = f"{mean:.1f} ± {error:.1f}"
        figures.append(f"**{figure}**" if mean == lowest else figure)
    height, width = record["image_shape"][1:]
    return [
        f"{title}, {record['images']} of {height} × {width}, {record['levels']} levels",
        f"{mask}, {measured['unknown']} pixels",
        f"{share}, {record['trained'].split(', ')[0]}",
        *figures,
        f"{measured['effective']:.1f} of {record['candidates']}",
    ]


if __name__ == "__main__":
    main()

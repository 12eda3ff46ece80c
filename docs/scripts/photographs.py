"""Fill the tables of photographs in the documentation from `docs/results/photographs.json`. No figure is typed by hand.

    python docs/scripts/photographs.py

`benchmarks/photographs.py` writes that record. In each page the tables stand between two comments, which name the table
and stay; what was not measured is left out.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tables import marked

DOCS = Path(__file__).parents[1]
RECORD = DOCS / "results" / "photographs.json"
PAGES = [DOCS / "how-to" / "photographs.md", DOCS / "results" / "photographs.md"]
SETS = {"kodak": "Kodak", "camera": "camera pictures", "jpeg": "once JPEG"}
WAYS = {
    "png": "PNG",
    "webp": "WebP",
    "jxl9": "JPEG XL, effort 9",
    "jxl10": "JPEG XL, effort 10",
    "jxl12_9": "JPEG XL 0.12, effort 9",
    "jxl12_10": "JPEG XL 0.12, effort 10",
    **{f"any{effort}": f"nextpixel, effort {effort}, without lattices" for effort in range(1, 10)},
    **{f"effort{effort}": f"**nextpixel, effort {effort}**" for effort in range(1, 10)},
}
YARDSTICK = "jxl9"
JPEG_XL = [way for way in WAYS if way.startswith("jxl")]
NOTHING = "Nothing is recorded yet: `benchmarks/photographs.py` writes the record that this table is made of."
MARKED = marked("photographs", r"\w+")

Record = dict[str, Any]


def main() -> None:
    """Fill the pages."""
    record = json.loads(RECORD.read_text(encoding="utf-8")) if RECORD.exists() else {"pictures": {}}
    for path in PAGES:
        path.write_text(filled(path.read_text(encoding="utf-8"), record), encoding="utf-8")
        print(path)


def filled(page: str, record: Record) -> str:
    """A page with the tables of a record."""
    made = {"sizes": sizes, "times": times, "albums": albums, "pictures": pictures}
    return MARKED.sub(
        lambda match: f"{match[1]}\n{made[match[2]](record) or NOTHING}\n\n{match[3]}",
        page,
    )


def sizes(record: Record) -> str:
    """The mean bits per sub-pixel of each way, and its ratio to the yardstick, for each set."""
    groups = of_sets(record)
    known = {name: [way for way in WAYS if all(way in line for line in lines)] for name, lines in groups.items()}
    ways = [way for way in WAYS if any(way in measured for measured in known.values())]
    rows = []
    for way in ways:
        cells = []
        for name, lines in groups.items():
            if way not in known[name]:
                cells += ["", ""]
                continue
            cells.append(f"{mean([8 * line[way] / line['sub_pixels'] for line in lines]):.3f}")
            cells.append(f"{mean([line[way] / line[YARDSTICK] for line in lines]):.3f}")
        rows.append([WAYS[way], *cells])
    heads = [f"{SETS.get(name, name)}, {len(lines)} pictures | ratio" for name, lines in groups.items()]
    return table(["", *heads], rows) if groups else ""


def beside_the_smallest(lines: list[Record], way: str) -> str:
    """The mean ratio of sizes to the smallest of all JPEG XL files of each picture."""
    return f"{mean([line[way] / min(line[setting] for setting in JPEG_XL) for line in lines]):.3f}"


def readme_row(record: Record) -> str:
    """The row of the README's table: the camera pictures beside the smallest JPEG XL files."""
    lines = of_sets(record)["camera"]
    ours, webp, png = (beside_the_smallest(lines, way) for way in ("effort5", "webp", "png"))
    return (
        f"| lossless compression | {len(lines)} photographs of many cameras | **{ours}** of the size of JPEG XL, of "
        f"which the smallest of four files counts (two versions, efforts 9 and 10) | {webp} WebP, {png} PNG |"
    )


def times(record: Record) -> str:
    """The seconds of a picture, as ratios to those in which the yardstick encodes it: the means over all pictures."""
    lines = list(record["pictures"].values())
    rows = []
    for way, title in WAYS.items():
        cells = []
        for key in (f"{way}_seconds", f"{way}_decoding_seconds"):
            ratios = [line[key] / line[f"{YARDSTICK}_seconds"] for line in lines if key in line]
            cells.append(f"{mean(ratios):.2f}" if lines and len(ratios) == len(lines) else "")
        rows.append([title, *cells])
    rows = [row for row in rows if any(row[1:])]
    return table(["", "encoding", "decoding"], rows) if rows else ""


def albums(record: Record) -> str:
    """The sizes of files of many pictures, as ratios to the sum of the yardstick's files."""
    lines = record.get("albums", {})
    ways = [way for way in WAYS if way != YARDSTICK and any(way in line for line in lines.values())]
    rows = [
        [f"{name}, {len(line['pictures'])} pictures"]
        + [f"{line[way] / line[YARDSTICK]:.3f}" if way in line else "" for way in ways]
        for name, line in lines.items()
    ]
    return table(["album", *(WAYS[way] for way in ways)], rows) if rows else ""


def pictures(record: Record) -> str:
    """The bits per sub-pixel of every picture."""
    lines = record["pictures"]
    ways = [way for way in WAYS if any(way in line for line in lines.values())]
    rows = [
        [name, SETS.get(line["set"], line["set"])]
        + [f"{8 * line[way] / line['sub_pixels']:.3f}" if way in line else "" for way in ways]
        for name, line in sorted(lines.items(), key=lambda item: (item[1]["set"], item[0]))
    ]
    return table(["picture", "set", *(WAYS[way] for way in ways)], rows) if rows else ""


def of_sets(record: Record) -> dict[str, list[Record]]:
    """The pictures of each set, the known sets first."""
    lines = record["pictures"].values()
    names = [*SETS, *sorted({line["set"] for line in lines} - set(SETS))]
    groups = {name: [line for line in lines if line["set"] == name] for name in names}
    return {name: group for name, group in groups.items() if group}


def mean(values: list[float]) -> float:
    """The mean."""
    return sum(values) / len(values)


def table(heads: list[str], rows: list[list[str]]) -> str:
    """A table in Markdown; a head may hold several columns."""
    head = " | ".join(heads)
    lines = [f"| {head} |", "|---" * (head.count("|") + 1) + "|", *(f"| {' | '.join(row)} |" for row in rows)]
    return "\n".join(lines)


if __name__ == "__main__":
    main()

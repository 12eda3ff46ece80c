"""Fill the tables of anomaly scores in `docs/results/scoring.md` from the record beside it. No figure is typed by hand.

    python docs/scripts/scoring.py

`benchmarks/anomaly.py --record docs/results/scoring.json` writes the record; `readme_row` is a row of the README.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tables import fill, lines_of, marked

DOCS = Path(__file__).parents[1]
RECORD = DOCS / "results" / "scoring.json"
PAGE = DOCS / "results" / "scoring.md"
SETS = {"fashion-mnist-train": "Fashion-MNIST", "mnist-train": "MNIST"}
TASK = "fashion-mnist-train against mnist-train"
MARKED = marked("scoring", "areas")

Record = dict[str, Any]


def main() -> None:
    """Fill the page, and print the row of the README."""
    records = json.loads(RECORD.read_text(encoding="utf-8"))
    PAGE.write_text(filled(PAGE.read_text(encoding="utf-8"), records), encoding="utf-8")
    print(PAGE, readme_row(records), sep="\n")


def filled(page: str, records: Record) -> str:
    """A page with the tables of the records."""
    tables = "\n\n".join(table(title, record) for title, record in records.items())
    return fill(MARKED, page, tables)


def table(title: str, record: Record) -> str:
    """All scores of one pair of sets, the best one first."""
    normal, strange = (SETS[name] for name in title.split(" against "))
    counts = [f"{count:,}" for count in record["images"]]
    about = (
        f"**{normal} against {strange}**: {counts[0]} held-out images of {normal} are normal, {counts[1]} of {strange} "
        f"are not; `{record['model']}`. {versions(record)}"
    )
    lines = [["score", "AUROC", "normal, median", "strange, median"], ["---"] * 4]
    best = max(one["area"] for one in record["scores"].values())
    for name, one in sorted(record["scores"].items(), key=lambda item: -item[1]["area"]):
        figure = f"{one['area']:.4f} ± {one['standard error']:.4f}"
        medians = [f"{one[f'{kind} median']:.4g}" for kind in ("normal", "strange")]
        lines.append([named(name, one, record), f"**{figure}**" if one["area"] == best else figure, *medians])
    return about + "\n\n" + lines_of(lines)


def versions(record: Record) -> str:
    """What measured it."""
    known = [f"{name} {version}" for name, version in record["versions"].items()]
    return f"{record['processor']}, one thread; {', '.join(known)}."


def named(name: str, one: Record, record: Record) -> str:
    """What a score is, for people."""
    if one["kind"] == "score":
        told = {"nats": "the likelihood, `nats`", "complexity": f"`complexity` ({record['complexity by']})"}
        return told.get(name, f"`{name}`")
    if one["kind"] == "ratio":
        size = f"{one['parameters']:,} parameters, {one['trained'].split(', ')[0]}"
        if one["mutation"] is None:
            return f"`ratio` of the full to a local model ({size})"
        penalty = f", L2 {name.partition('-l2-')[2]}" if "-l2-" in name else ""
        return f"`ratio`, background of mutation {one['mutation']:g}{penalty} ({size})"
    if one["kind"] == "PyOD":
        return f"PyOD's {name} on the pixels of {record['learned from']:,} images"
    return f"distance to the nearest of {record['learned from']:,} normal images"


def readme_row(records: Record) -> str:
    """The row of the README's table that is about unusual images."""
    scores = records[TASK]["scores"]
    areas = {name: f"{one['area']:.3f}" for name, one in scores.items()}
    detectors = [name for name, one in scores.items() if one["kind"] == "PyOD"]
    best = max(detectors, key=lambda name: scores[name]["area"])
    return (
        f"| telling digits from clothes | MNIST among Fashion-MNIST | AUROC **{areas['complexity']}** by complexity | "
        f"{areas['nats']} by the likelihood of the same model, {areas[best]} by PyOD's {best} on pixels |"
    )


if __name__ == "__main__":
    main()

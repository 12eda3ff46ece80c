"""Write `docs/results/benchmarks.md`, nextpixel beside what people use. No figure is typed by hand.

    python docs/scripts/benchmarks.py

Likelihoods come from the records of the models that come with the package and from `published.toml`; the rest from the
records beside the page, which the scripts in `benchmarks/` write.
"""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

from tables import lines_of

from completion import table as completion_table
from nextpixel.model_files.shipped import read_config, shipped
from photographs import JPEG_XL, mean
from results import WITNESSES, home
from scoring import TASK
from scoring import table as scoring_table

RESULTS = Path(__file__).parents[1] / "results"
PAGE = RESULTS / "benchmarks.md"
FORMATS = ["PNG", "WebP", "JPEG XL", "JPEG-LS", "QOI"]
SHEETS = {"fashion-mnist-train": "Fashion-MNIST", "mnist-train": "MNIST", "cifar10-first4000-train": "CIFAR-10"}
PHOTOGRAPHS = {"kodak": "photographs, Kodak", "camera": "photographs of many cameras"}

INTRODUCTION = """\
What nextpixel does, with the models that come with it, beside what one would use instead. The best figure of a row is
bold, whoever has it. Each section names where more is told.
"""
GENERATE = """\
Measured by the likelihood of held-out images, not by FID, which needs a network of its own. Ours are small models after
minutes to hours on a CPU, of validation images; the published ones are of test sets and were trained to the end:
[Likelihoods](results.md) has every protocol. What samples look like: [Conditions](../how-to/conditions.md),
[Sampling](../how-to/sampling.md).
"""
COMPLETE = """\
Nats of the true pixels, given the others, by short trainings. What the columns are, and what follows:
[Completion](completion.md).
"""
COMPRESS = """\
Bits per sub-pixel without loss; every file was decoded again to the same pixels. Models that come with the package are
not counted. Photographs, screenshots and the scan are files by themselves; of photographs it is the mean over the
pictures. Small images are one sheet in the other formats, which is kinder to them, and one file here. JPEG XL is the
smallest of two efforts, and of two versions for photographs. The scan is made by the benchmark: text on paper with the
noise of a sensor. Screenshots are two of this documentation, as they were then; nextpixel stores such pictures as WebP
or PNG. More:
[Photographs](photographs.md), [Compression](compression.md).
"""
TIME = """\
Photographs: CPU seconds as ratios to those in which JPEG XL at effort 9 encodes the same picture, the means over all of
them. The decoders of other formats were not timed; they are much faster.
"""

Record = dict[str, Any]
Sizes = dict[str, float]
"""Bits per sub-pixel by the name of what wrote the file."""


def main() -> None:
    """Write the page."""
    PAGE.write_text(page(), encoding="utf-8")
    print(PAGE)


def record_of(name: str) -> Record:
    """A record beside the page."""
    record: Record = json.loads((RESULTS / f"{name}.json").read_text(encoding="utf-8"))
    return record


def page() -> str:
    """The page as Markdown."""
    compressed = kinds()
    commands, codecs = record_of("commands"), record_of("codecs")
    return "\n".join(
        [
            "<!-- Made by docs/scripts/benchmarks.py from the records beside it. Do not edit. -->\n",
            "# Beside what people use\n",
            INTRODUCTION,
            "## Generate\n",
            GENERATE,
            table(["data", "nextpixel", "published, best and worst known to us"], likelihoods()),
            "## Complete\n",
            COMPLETE,
            completion_table(record_of("completion")) + "\n",
            "## Score\n",
            "How well held-out clothes are told from digits; what follows: [Anomaly scores](scoring.md).\n",
            scoring_table(TASK, record_of("scoring")[TASK]) + "\n",
            "## Compress\n",
            COMPRESS,
            table(["pictures", "nextpixel", *FORMATS], [row(name, sizes) for name, sizes in compressed.items()]),
            versions(codecs) + "\n",
            "## Time and memory\n",
            TIME,
            table(["", "encoding", "decoding"], photograph_times()),
            "Commands, of a process from its start to its end, the start of Python and PyTorch included; one thread"
            f"{', with the extra `fast`' if commands['fast'] else ''}. {versions(commands)}\n",
            table(
                ["what", "command", "CPU seconds", "memory, MB"],
                [
                    [title, f"`{one['command']}`", f"{one['seconds']:.1f}", f"{one['megabytes']:,}"]
                    for title, one in commands["commands"].items()
                ],
            ),
            "Training: [Speed of training](performance.md). Drawing, in passes of the network: "
            "[How sampling is made fast](../explanation/sampling.md).\n",
            "## Where we lose\n",
            "\n".join(f"- {sentence}" for sentence in losses(compressed)) + "\n",
            "## The commands\n",
            "```shell\n"
            "python benchmarks/anomaly.py RUN NORMAL STRANGE --baselines 10000 --record docs/results/scoring.json\n"
            "python benchmarks/completion.py RUN IMAGES --record docs/results/completion.json\n"
            "python benchmarks/codec.py RUN IMAGES --record docs/results/compression.json\n"
            "python benchmarks/photographs.py --set kodak=FOLDER --out docs/results/photographs.json\n"
            "python benchmarks/picture_codecs.py --made --record docs/results/codecs.json\n"
            "python benchmarks/commands.py --record docs/results/commands.json\n"
            "python docs/scripts/benchmarks.py\n"
            "```\n",
        ]
    )


def likelihoods() -> list[list[str]]:
    """For each task of which a model comes along: our best figure, and the best and the worst of the published ones."""
    tasks = tomllib.loads((RESULTS / "published.toml").read_text(encoding="utf-8"))["task"]
    models = {name: read_config(name) for name in shipped()}
    homes = {name: home(config, tasks) for name, config in models.items()}
    rows = []
    for task in tasks:
        ours = {name: config for name, config in models.items() if homes[name] == task["title"]}
        if not ours:
            continue
        name, config = min(ours.items(), key=lambda item: item[1]["record"]["likelihood"]["nats"])
        likelihood, parameters = config["record"]["likelihood"], config["record"]["parameters"]
        if task["unit"] == "nats":
            figure = f"{likelihood['nats']:.2f} ± {likelihood['nats_standard_error']:.2f} nats"
        else:
            figure = f"{likelihood['bits_per_dim']:.3f} ± {likelihood['bits_per_dim_standard_error']:.3f} bits/dim"
        published = sorted(task["figures"], key=lambda one: float(one["value"].strip("≤ ")))
        ends = published[:1] + (published[-1:] if len(published) > 1 else [])
        told = "; ".join(f"{one['value']} {one['model']} ({WITNESSES[one['witness']]})" for one in ends)
        rows.append([task["title"], f"{figure}, `{name}`, {parameters:,} parameters", told or "none known to us"])
    return rows


def kinds() -> dict[str, Sizes]:
    """Bits per sub-pixel of every kind of pictures."""
    photographs, codecs, thumbnails = (record_of(name) for name in ("photographs", "codecs", "compression"))
    compressed: dict[str, Sizes] = {}
    for group, title in PHOTOGRAPHS.items():
        lines = {stem: line for stem, line in photographs["pictures"].items() if line["set"] == group}
        sizes = [
            {
                "nextpixel": line["effort5"],
                "PNG": line["png"],
                "WebP": line["webp"],
                "JPEG XL": min(line[way] for way in JPEG_XL),
                **codecs["pictures"][stem],
                "sub_pixels": line["sub_pixels"],
            }
            for stem, line in lines.items()
        ]
        compressed[f"{title}, {len(lines)}, effort 5"] = {
            form: mean([8 * size[form] / size["sub_pixels"] for size in sizes]) for form in ("nextpixel", *FORMATS)
        }
    for name, size in codecs["made"].items():
        title = f"{name}, {size['pictures']}" if size["pictures"] > 1 else name
        compressed[f"{title}, effort 1"] = {
            form: 8 * size[form] / size["sub_pixels"] for form in ("nextpixel", *FORMATS)
        }
    for name, title in SHEETS.items():
        line = thumbnails[name]
        size = {form: line[f"{form} sheet"] for form in ("PNG", "WebP", "JPEG XL")}
        size |= {"nextpixel": line["file_bytes"], **codecs["sheets"][name]}
        compressed[f"{title}, {line['images']} images, `{line['model']}`"] = {
            form: 8 * value / line["sub_pixels"] for form, value in size.items()
        }
    return compressed


def row(name: str, sizes: Sizes) -> list[str]:
    """A line of the sizes of one kind, whose least is bold."""
    figures = {form: f"{sizes[form]:.3f}" for form in ("nextpixel", *FORMATS)}
    least = min(figures.values(), key=float)
    return [name, *(f"**{figure}**" if figure == least else figure for figure in figures.values())]


def photograph_times() -> list[list[str]]:
    """The CPU seconds of nextpixel beside those in which JPEG XL encodes, the means over all photographs."""
    lines = list(record_of("photographs")["pictures"].values())
    return [
        [f"nextpixel, effort {effort}"]
        + [
            f"{mean([line[f'effort{effort}_{what}'] / line['jxl9_seconds'] for line in lines]):.1f}"
            for what in ("seconds", "decoding_seconds")
        ]
        for effort in (1, 5)
    ]


def losses(compressed: dict[str, Sizes]) -> list[str]:
    """What speaks for something else."""
    worse = []
    for name, sizes in compressed.items():
        best = min((form for form in sizes if form in FORMATS), key=sizes.__getitem__)
        if sizes[best] < sizes["nextpixel"]:
            title = name.partition(", effort")[0].partition(", `")[0]
            worse.append(f"{title} ({best} {sizes[best]:.3f}, nextpixel {sizes['nextpixel']:.3f})")
    scores = record_of("scoring")[TASK]["scores"]
    nearest, complexity = (scores[name]["area"] for name in ("nearest neighbour", "complexity"))
    decoding = photograph_times()[-1][-1]
    return [
        f"Files of others are smaller for {'; '.join(worse)}." if worse else "No other file is smaller.",
        f"Decoding a photograph takes {decoding} times as long as JPEG XL takes to *encode* it: nextpixel is for "
        "archives, not for what is opened every day.",
        "If its weights are counted, a model of one kind of small images pays only from some ten thousand of them "
        "on, or never: [Compression](compression.md).",
        f"A nearest neighbour on pixels tells digits from clothes nearly as well ({nearest:.3f} against "
        f"{complexity:.3f}), without a model.",
        "The likelihood of CIFAR-10 is far from those published: the model that ships has seen 3,600 "
        "images, for minutes.",
        "Samples of natural images are textures without objects. Who wants pictures to look at uses a diffusion model, "
        "which has no exact likelihood; none was compared here.",
    ]


def versions(record: Record) -> str:
    """What measured a record."""
    return f"{record['processor']}; {', '.join(f'{name} {version}' for name, version in record['versions'].items())}."


def table(heads: list[str], rows: list[list[str]]) -> str:
    """A table in Markdown."""
    lines = [heads, ["---"] * len(heads), *rows]
    return lines_of(lines) + "\n"


if __name__ == "__main__":
    main()

"""Write `docs/results/results.md`, the table of results. Nothing in it is typed by hand.

    python docs/scripts/results.py

Our figures come from the records of the models that come with the package, as `nextpixel export` measured them; those
of others from `docs/results/published.toml`; what to expect of a recipe from the recipes.
"""

from __future__ import annotations

import os
import tomllib
from pathlib import Path
from typing import Any

from nextpixel.model_files.card import CURVE
from nextpixel.model_files.shipped import find_model, read_config, shipped
from nextpixel.recipes import read_recipe, recipes

FOLDER = Path(__file__).parents[1] / "results"
PAGE = FOLDER / "results.md"
WITNESSES = {
    "two": "published; two independent witnesses agree",
    "one": "published; one secondary source",
    "recalled": "recalled, **not checked**",
    "unmarked": "published, **not checked** by us",
}
POINTS = 6


def main() -> None:
    """Write the page."""
    PAGE.write_text(page(), encoding="utf-8")
    print(PAGE)


def page() -> str:
    """The page as Markdown."""
    tasks = tomllib.loads((FOLDER / "published.toml").read_text(encoding="utf-8"))["task"]
    models = {name: read_config(name) for name in shipped()}
    homes = {name: home(config, tasks) for name, config in models.items()}
    parts = [
        "<!-- Made by docs/scripts/results.py from the records of the shipped models. Do not edit. -->\n",
        "# Likelihoods\n",
        "Every figure of ours is the mean over all images named, with its standard error, of weights that come with "
        "the package, as they are stored; `nextpixel evaluate` gives it again to the last digit, by the command in the "
        "[model's card](../how-to/models.md). The published figures are beside them with their protocol, and with how "
        "well they are attested. Ours are of *validation* images after short trainings on a CPU; the published ones "
        "are of test sets after trainings to the end.\n",
    ]
    for task in tasks:
        ours = [name for name in models if homes[name] == task["title"]]
        parts += section(task, {name: models[name] for name in ours})
    if others := {name: config for name, config in models.items() if homes[name] is None}:
        parts += [
            "## Not comparable\n",
            "Likelihoods of reconstructions, which are no densities, and of protocols that nobody else reports.\n",
            table([ours_row(name, config, "nats") for name, config in others.items()], "nats"),
        ]
    parts += learning(models)
    parts += [
        "## Recipes\n",
        "`nextpixel train --recipe NAME DATA --out RUN`. What was not measured is not promised.\n",
        "| recipe | model | data | expected | cost |\n|---|---|---|---|---|\n"
        + "\n".join(
            f"| `{each.name}`, version {each.version} | `{each.family}` | {each.data} | {each.expected} | {each.cost} |"
            for each in map(read_recipe, recipes())
        )
        + "\n",
    ]
    return "\n".join(parts)


def home(config: dict[str, Any], tasks: list[dict[str, Any]]) -> str | None:
    """The title of the task that a model belongs to: of its protocol, and of the data whose name fits best."""
    if config["model"]["family"] == "autoencoder":
        return None
    data = config["record"]["data"]
    fitting = {
        name: task["title"]
        for task in tasks
        for name in task["data"]
        if data.startswith(name)
        and task["levels"] == config["model"]["levels"]
        and task["binarisation"] == binarisation(config)
    }
    return fitting[max(fitting, key=len)] if fitting else None


def binarisation(config: dict[str, Any]) -> str:
    """Which bits black-and-white images have: "fixed" as the file has them, or as nextpixel made them; else "none"."""
    if config["model"]["levels"] > 2:
        return "none"
    return config["record"].get("images", {}).get("binarize") or "fixed"


def section(task: dict[str, Any], ours: dict[str, dict[str, Any]]) -> list[str]:
    """What there is for one task: our figures and the published ones, all of one protocol."""
    rows = [ours_row(name, config, task["unit"]) for name, config in ours.items()]
    rows += [
        f"| {each['model']} | {each['value']} | | {task.get('images', 'test set')} | | {WITNESSES[each['witness']]} |"
        for each in task["figures"]
    ]
    return [f"## {task['title']}\n", f"{task['protocol']}\n", table(rows, task["unit"])] if rows else []


def table(rows: list[str], unit: str) -> str:
    """A table of figures in one unit."""
    return f"| model | {unit} | parameters | images | training | source |\n|---|---|---|---|---|---|\n" + (
        "\n".join(rows) + "\n"
    )


def ours_row(name: str, config: dict[str, Any], unit: str) -> str:
    """A row of a shipped model."""
    record, model = config["record"], config["model"]
    own = record["likelihood"]
    if unit == "nats":
        figure = f"{own['nats']:.2f} ± {own['nats_standard_error']:.2f}"
    else:
        figure = f"{own['bits_per_dim']:.3f} ± {own['bits_per_dim_standard_error']:.3f}"
    told = f"**`{name}`**: {model['family']}, {model['options'].get('features')} features"
    if model["condition"] is not None:
        told += ", reconstructions from codes" if model["family"] == "autoencoder" else ", given its condition"
    layers = model["options"].get("layers")
    told += f", {layers} layers" if layers else ""
    training = f"{record['data']}; {record.get('trained', 'not recorded')}"
    training += f", begun with {record['begun']}" if "begun" in record else ""
    training += f"; {record['hardware']}"
    source = f"ours; {record['protocol']}"
    return (
        f"| {told} | **{figure}** | {record['parameters']:,} | {own['images']:,} validation images | {training} | "
        f"{source} |"
    )


def learning(models: dict[str, dict[str, Any]]) -> list[str]:
    """How the likelihood fell in training, from the logs of the runs; empty where no model has one."""
    rows: list[str] = []
    curves: list[str] = []
    for name, config in models.items():
        log = config["record"].get("validations", [])
        if not log:
            continue
        places = sorted({round(number * (len(log) - 1) / (POINTS - 1)) for number in range(POINTS)})
        told = ", ".join(f"{log[at]['seconds'] / 60:.0f} min {log[at]['nats']:.2f}" for at in places)
        rows.append(f"| `{name}` | {told} |")
        curves.append(name)
    if not rows:
        return []
    return [
        "## In the course of training\n",
        "From the logs of the runs: nats of the images that the run validated on, which may be a part of all.\n",
        "| model | minutes and nats |\n|---|---|\n" + "\n".join(rows) + "\n",
        *(f"![{name}: bits/dim of validation against steps]({curve(name)})\n" for name in curves),
    ]


def curve(name: str) -> str:
    """Where the learning curve of a shipped model lies, seen from the page."""
    return os.path.relpath(find_model(name) / CURVE, FOLDER)


if __name__ == "__main__":
    main()

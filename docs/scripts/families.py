"""Write `docs/reference/families.md`, the options of each family. Nothing in it is typed by hand.

    python docs/scripts/families.py

It comes from the config of each family, of which the constructors and the command line are made as well.
"""

from __future__ import annotations

from pathlib import Path

from nextpixel.families.configs import Config, Option
from nextpixel.families.registry import FAMILIES

PAGE = Path(__file__).parents[1] / "reference" / "families.md"


def main() -> None:
    """Write the page."""
    PAGE.write_text(page(), encoding="utf-8")
    print(PAGE)


def page() -> str:
    """The page as Markdown."""
    configs = [FAMILIES[name].config for name in sorted(FAMILIES) if FAMILIES[name].registered is None]
    options = {config.family: {option.name: option for option in config.options()} for config in configs}
    names = list(dict.fromkeys(name for known in options.values() for name in known))
    parts = [
        "<!-- Made by docs/scripts/families.py from the configs of the families. Do not edit. -->\n",
        "# Families and their options\n",
        "In Python these are arguments of `nextpixel.build(family, ...)`; on the command line, flags of "
        "`nextpixel train --model FAMILY`, with dashes (`--kernel-size`). [Which model?]"
        "(../explanation/which-model.md) tells what the families are good for.\n",
        "## Which family has which option\n",
        "Each cell is the default; an empty one says that the family does not have the option and refuses it. A family "
        "with models inside (`inner`) takes the options of those as well.\n",
        matrix(configs, options, names),
    ]
    for config in configs:
        parts += [f"## {config.family}\n", f"{config.summary[0].upper()}{config.summary[1:]}.\n", table(config)]
    return "\n".join(parts)


def matrix(configs: list[type[Config]], options: dict[str, dict[str, Option]], names: list[str]) -> str:
    """Options downwards, families to the right."""
    lines = [
        "| option | " + " | ".join(f"`{config.family}`" for config in configs) + " |",
        "|---" * (1 + len(configs)) + "|",
    ]
    for name in names:
        known = [options[config.family].get(name) for config in configs]
        lines.append(f"| `{name}` | " + " | ".join("" if one is None else default(one) for one in known) + " |")
    return "\n".join(lines) + "\n"


def table(config: type[Config]) -> str:
    """What each option of a family is."""
    lines = ["| option | default | allowed | what it is |", "|---|---|---|---|"]
    for option in config.options():
        allowed = option.allowed + (", none" if option.optional else "")
        lines.append(f"| `{option.name}` | {default(option)} | {allowed} | {option.rule.help} |".replace("\n", " "))
    return "\n".join(lines) + "\n"


def default(option: Option) -> str:
    """The value of an option where none is given."""
    return "none" if option.rule.default is None else f"`{option.rule.default}`"


if __name__ == "__main__":
    main()

"""Every block of code in the README, the documentation and the papers beside them does what it says.

Python is executed, a namespace for each document. Of shell commands, those of nextpixel are parsed by the program
itself, and in the README and the tutorials they run (a training only for some steps); of the others it is checked that
what they name exists.
"""

import re
import shlex
import tomllib
from pathlib import Path

import pytest
from cyclopts import CycloptsError
from sybil import Sybil
from sybil.parsers.markdown import CodeBlockParser, PythonCodeBlockParser

import nextpixel as nx
from helpers.registry import kept_registry
from nextpixel.cli.app import app, run
from nextpixel.cli.config import config_sources

ROOT = Path(__file__).parents[2]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
RUN = [ROOT / "README.md", *(ROOT / "docs" / "tutorials").glob("*.md")]
"""The documents whose commands run from top to bottom, but for those with a PLACEHOLDER."""

LANGUAGES = {"python", "shell", "toml", "text", "bibtex", "yaml"}
PLACEHOLDER = re.compile(r"\b[A-Z][A-Z_]+\b")
TESTED_ELSEWHERE = ("quickstart", "serve")
STEPS = "3"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
TARGETS = re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
ELSEWHERE = {"cd", "export", "git", "pre-commit", "twine"}
"""Programs that are not ours: what they are told is not looked at."""

MODULES = (["-m", "build"], ["-m", "venv"])
"""Likewise, started by Python."""


def commands(text):
    """The commands of a shell block, as words; what stands for more (`...`, `[RUN...]`) is left out."""
    for line in text.replace("\\\n", " ").splitlines():
        words = [word for word in shlex.split(line, comments=True) if not word.endswith(("...", "...]"))]
        while words and re.fullmatch(r"[A-Z_]+=\S*", words[0]):
            words.pop(0)
        if words:
            yield words


def arguments_of_nextpixel(words):
    """The arguments of nextpixel in a command, however it is started; None where it is another program."""
    if Path(words[0]).name == "nextpixel":
        return words[1:]
    if words[0] in ("python", "torchrun") and "nextpixel" in words and words[words.index("nextpixel") - 1] == "-m":
        return words[words.index("nextpixel") + 1 :]
    return None


def in_small(words):
    """The same command with a training of some steps."""
    return [STEPS if before == "--steps" else word for before, word in zip(["", *words], words, strict=False)]


def check_command(words, runs):
    """Parse a command of nextpixel or run it, and check that what other commands name exists."""
    arguments = arguments_of_nextpixel(words)
    if arguments is not None:
        if runs and arguments[0] not in TESTED_ELSEWHERE and not PLACEHOLDER.search(" ".join(arguments)):
            assert run(in_small(arguments)) == 0, words
        else:
            try:
                app.config = config_sources(arguments)
                app.parse_args(arguments, exit_on_error=False, print_error=False)
            except CycloptsError as error:
                pytest.fail(f"{shlex.join(words)}: {error}")
    elif words[0] == "make":
        assert set(words[1:]) <= set(TARGETS), words
    elif Path(words[0]).name == "pip":
        for package in words[2:]:
            name, _, extra = package.rstrip("]").partition("[")
            assert name == "nextpixel" or name.startswith("dist/nextpixel-"), words
            assert not extra or set(extra.split(",")) <= set(PROJECT["optional-dependencies"]), words
    elif words[0].endswith("python"):
        named = words[3:] if words[1:3] == ["-m", "pytest"] else words[1:2]
        assert words[1] == "-c" or words[1:3] in MODULES or all((ROOT / name).exists() for name in named), words
    else:
        assert words[0] in ELSEWHERE, words


def evaluate_shell(example):
    for words in commands(example.parsed):
        check_command(words, Path(example.path) in RUN)


PARSED = Sybil(parsers=[PythonCodeBlockParser(), CodeBlockParser("shell", evaluate_shell)])


def relative(path):
    return str(path.relative_to(ROOT))


@pytest.fixture
def same_families():
    """Families that the code of a document registers are gone after it."""
    with kept_registry():
        yield


@pytest.mark.usefixtures("same_families")
@pytest.mark.parametrize("path", DOCUMENTS, ids=relative)
def test_its_code_runs(path, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NEXTPIXEL_CACHE", str(tmp_path / "cache"))
    for example in PARSED.parse(path).examples():
        example.evaluate()


@pytest.mark.parametrize("path", DOCUMENTS, ids=relative)
def test_every_block_says_its_language(path):
    inside = False
    for line in path.read_text(encoding="utf-8").splitlines():
        if line.lstrip().startswith("```"):
            inside, language = not inside, line.strip().lstrip("`")
            assert not inside or language in LANGUAGES or language.startswith("{"), f"{relative(path)}: {line}"


@pytest.mark.parametrize(
    "line",
    [
        *("nextpixel train", "nextpixel sample RUN --bogus 3 --out x.png", ".venv/bin/nextpixel nonsense"),
        *("make nothing", "python examples/none.py", "rm -rf x", "pip install 'nextpixel[none]'"),
        "torchrun -m nextpixel train",
    ],
)
def test_a_wrong_command_is_noticed(line):
    with pytest.raises((AssertionError, pytest.fail.Exception)):
        for words in commands(line):
            check_command(words, runs=False)


def test_every_figure_of_the_readme_stands_in_the_documentation():
    """The table beside what people use is taken from measurements that are written down, each with its command."""
    table = [line for line in (ROOT / "README.md").read_text(encoding="utf-8").splitlines() if line.startswith("|")]
    recorded = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "docs").rglob("*.md"))
    numbers = {float(number.replace(",", "")) for number in re.findall(r"\d[\d,]*\.?\d*", recorded)}
    figures = {figure for line in table for figure in re.findall(r"\d+[.,]\d+", line)}
    assert len(figures) > 10
    for figure in figures:
        digits = len(figure.partition(".")[2])
        assert float(figure.replace(",", "")) in {round(number, digits) for number in numbers}, figure


def test_every_public_name_stands_in_the_api_reference():
    listed = re.findall(r"^   (\w+)$", (ROOT / "docs/reference/api.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert sorted(listed) == sorted(set(nx.__all__) - {"__version__"}), "docs/reference/api.md lists the public names"


@pytest.mark.parametrize("path", DOCUMENTS, ids=relative)
def test_its_links_lead_somewhere(path):
    text = path.read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)\s]+)\)", text) + re.findall(r'src="([^"]+)"', text):
        if not target.startswith(("http", "#", "mailto:")):
            assert (path.parent / target.partition("#")[0]).exists(), f"{relative(path)} links to {target}"
    for name in re.findall(r"\{file\}`([^`]+)`", text):
        assert (ROOT / name).exists(), f"{relative(path)} names {name}"

"""Nothing that comes from files, archives and models is obeyed by a terminal or a spreadsheet."""

import ast
import csv
import json
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import nextpixel.cli
from helpers.tiny_models import tiny
from nextpixel.cli.app import run

EVIL = "\x1b]0;title\x07\u202egnp\x9b31m\r"
FORMULA = "=1+1"


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.setenv("NEXTPIXEL_CACHE", str(tmp_path / "cache"))
    model = tiny("gated-pixelcnn", levels=2)
    model.record.data = f"images of {EVIL}"
    model.record.limits = f"none\n{EVIL}"
    model.record.name = EVIL
    model.save(tmp_path / "model")
    with zipfile.ZipFile(tmp_path / "set.zip", "w") as archive:
        for name in (f"{FORMULA}/{EVIL}.png", f"b/{FORMULA}.png"):
            pixels = np.random.default_rng(0).integers(0, 2, (3, 4), np.uint8) * 255
            with archive.open(name, "w") as file:
                Image.fromarray(pixels).save(file, "PNG")
        archive.writestr(f"b/bad {EVIL}.png", b"damaged")
    return tmp_path


def quiet(text):
    return all(character.isprintable() or character == "\n" for character in text)


@pytest.mark.parametrize(
    "arguments",
    [
        ["info", "{}/model"],
        ["evaluate", "{}/model", "{}/set.zip", "--levels", "2"],
        ["evaluate", "{}/model", "{}/set.zip", "--levels", "2", "--json"],
        ["score", "{}/model", "{}/set.zip", "--levels", "2", "--out", "{}/scores.csv"],
        ["compare", "{}/model", "{}/model", "{}/set.zip", "--levels", "2"],
        ["prepare", "{}/set.zip", "--out", "{}/set"],
        ["train", "{}/set.zip", "--levels", "2", "--steps", "1", "--features", "6", "--layers", "1", "--out", "{}/run"],
        ["evaluate", "{}/model", f"{{}}/{EVIL}"],
        ["sample", "{}/model", "--count", "2", "--out", f"{{}}/{EVIL}.png"],
    ],
)
def test_all_that_is_printed_is_printable(place, capfd, arguments):
    code = run([word.replace("{}", str(place)) for word in arguments])
    out, err = capfd.readouterr()
    assert quiet(out) and quiet(err), (out, err)
    assert code == (0 if EVIL not in arguments[-1] or arguments[0] == "sample" else 2), err
    if arguments[0] == "info":
        assert r"\x1b]0;title\x07\u202e" in out.replace("\n", "")
    if "--json" in arguments:
        json.loads(out, parse_constant=lambda name: pytest.fail(name))


def test_the_card_is_quiet_too(place):
    assert quiet((place / "model" / "README.md").read_text())


def test_a_table_starts_no_formula(place):
    for options, shown in (([], "'=1+1"), (["--no-formula-guard"], "=1+1")):
        arguments = ["score", str(place / "model"), str(place / "set.zip"), "--levels", "2", *options]
        assert run([*arguments, "--out", str(place / "s.csv")]) == 0
        with (place / "s.csv").open(newline="") as file:
            rows = list(csv.DictReader(file))
        assert {row["given_label"] for row in rows} == {shown, "b"}
        assert run([*arguments, "--out", str(place / "s.jsonl")]) == 0
        lines = [json.loads(line) for line in (place / "s.jsonl").read_text().splitlines()]
        assert {line["given_label"] for line in lines} == {"=1+1", "b"}
        assert quiet((place / "s.jsonl").read_text())


def test_commands_print_by_the_functions_that_quote():
    for path in Path(nextpixel.cli.__file__).parent.glob("*.py"):
        calls = [
            node
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print"
        ]
        assert len(calls) == (1 if path.name == "output.py" else 0), path

import importlib
import inspect
import subprocess
import sys

import pytest

import nextpixel
from nextpixel.cli.app import COMMANDS, run


@pytest.mark.parametrize(
    "arguments",
    [
        *(["--help"], ["--version"], ["models"], ["recipes"], ["recipes", "digits-gated"]),
        *(["train"], ["train", "--help"], ["nonsense"]),
    ],
)
def test_quick_answers_do_not_import_torch(arguments):
    code = f"""
import sys
from nextpixel.cli.app import run
run({arguments})
sys.exit(40 + ("torch" in sys.modules))
"""
    assert subprocess.run([sys.executable, "-c", code], capture_output=True).returncode == 40


def test_module_and_command_are_the_same_program():
    answer = subprocess.run([sys.executable, "-m", "nextpixel", "--version"], capture_output=True, text=True)
    assert answer.stdout.strip() == nextpixel.__version__
    assert answer.returncode == 0


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(command, capsys):
    docstring = inspect.getdoc(getattr(importlib.import_module(f"nextpixel.cli.{command}"), command))
    told, _, _ = docstring.partition("\n\nArgs:")
    assert run([command, "--help"]) == 0
    help_words = " ".join(capsys.readouterr().out.split())
    # What is in backticks is shown in another style, where there is a terminal.
    assert " ".join(told.replace("`", "").split()) in help_words
    assert f"nextpixel {command}" in help_words and "--empty" not in help_words
    assert told.splitlines()[0] == COMMANDS[command]


def test_models_lists_every_family(capsys):
    assert run(["models"]) == 0
    families, _, _ = capsys.readouterr().out.partition("trained models")
    assert [line.split()[0] for line in families.splitlines()[1:]] == nextpixel.models()


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["train"], "train needs DATA; see nextpixel train --help"),
        (["train", "--recipe", "mnist-256-gated"], "is for MNIST, 256 levels"),
        (["train", "--recipe", "mnist"], "no recipe 'mnist'"),
        (["train", "digits"], "train needs --out"),
        (["train", "digits", "--out"], "--out requires an argument"),
        (["compare", "nextpixel/mnist-gated"], "compare needs SECOND"),
        (
            ["compare", "nextpixel/mnist-gated", "nextpixel/digits-gated", "digits"],
            "nextpixel/digits-gated of 1 x 8 x 8",
        ),
        (["train", "digits", "--out", "x", "--valid-fraction", "2"], "--valid-fraction"),
        (["train", "digits", "--out", "x", "--bogus", "1"], "--bogus"),
        (["train", "digits", "--out", "x", "--steps", "many"], "many"),
        (["train", "digits", "--out", "x", "--steps", "1", "--minutes", "1"], "minutes"),
        (["train", "digits", "--out", "x", "--model", "diffusion"], "gated-pixelcnn"),
        (["train", "digits", "--out", "x", "--kernel-size", "4"], "kernel_size"),
        (["train", "digits", "--out", "x", "--resize", "big"], "--resize"),
        (["train", "no/such/folder", "--out", "x"], "no/such/folder"),
        (["train", "digits", "--out", "x", "--config", "none.toml"], "none.toml"),
        (["evaluate", "no-run", "digits"], "no-run"),
        (["frobnicate"], "frobnicate"),
    ],
)
def test_what_the_user_can_mend_is_one_sentence_and_exit_code_2(arguments, named, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert run(arguments) == 2
    captured = capsys.readouterr()
    assert named in captured.err
    assert captured.err.count("\n") == 1
    assert captured.out == ""
    assert list(tmp_path.iterdir()) == []

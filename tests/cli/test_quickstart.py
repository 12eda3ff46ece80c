import shlex
import sys

import pytest

from nextpixel.cli.app import run
from nextpixel.cli.quickstart import program


@pytest.fixture
def printed(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NEXTPIXEL_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("NEXTPIXEL_DATA", str(tmp_path / "no-data"))
    assert run(["quickstart"]) == 0
    return capsys.readouterr().out


def test_what_it_prints_is_what_it_ran(printed, tmp_path):
    commands = [shlex.split(line)[2:] for line in printed.splitlines() if line.startswith("$ nextpixel ")]
    assert {"sample", "complete", "score", "compress", "decompress"} <= {each[0] for each in commands}
    assert "pixel for pixel" in printed
    samples = (tmp_path / "quickstart" / "samples.png").read_bytes()
    archive = (tmp_path / "quickstart" / "digits.npx").read_bytes()
    for command in commands[:-1]:
        assert run(command) == 0
    assert (tmp_path / "quickstart" / "samples.png").read_bytes() == samples
    assert (tmp_path / "quickstart" / "digits.npx").read_bytes() == archive
    # The last one is for the user's own images.
    assert commands[-1][:2] == ["train", "FOLDER"]


def test_it_writes_over_nothing(tmp_path, monkeypatch, capsys):
    (tmp_path / "quickstart").mkdir()
    (tmp_path / "quickstart" / "mine.txt").write_text("mine")
    monkeypatch.chdir(tmp_path)
    assert run(["quickstart"]) == 2
    assert "choose an empty or a new folder, such as --out quickstart-2" in capsys.readouterr().err
    assert [path.name for path in (tmp_path / "quickstart").iterdir()] == ["mine.txt"]


def test_where_it_is_not_on_the_path_its_commands_are_printed_as_it_was_called(monkeypatch, tmp_path):
    place = str(tmp_path / "bin" / "nextpixel")
    monkeypatch.setattr(sys, "argv", [place, "quickstart"])
    monkeypatch.setenv("PATH", str(tmp_path))
    assert program() == place
    monkeypatch.setattr(sys, "argv", ["pytest"])
    assert program() == "nextpixel"

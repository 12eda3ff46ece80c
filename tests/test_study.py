"""benchmarks/study.py, in small."""

import re
import sys

from helpers.scripts import load_script


def test_it_prints_a_row_for_every_setting_and_differences_to_the_base(tmp_path, monkeypatch, capsys):
    module = load_script("benchmarks/study.py")
    words = "digits --steps 3 --train-images 64 --valid-images 20 --base features=6 layers=2 dropout=0.1 ema=0 "
    words += "--vary dropout=0,0.1 ema=0.5 layers=1,2"
    monkeypatch.setattr(sys, "argv", ["study.py", *words.split(), "--out", str(tmp_path / "study")])
    module.main()
    rows = [line for line in capsys.readouterr().out.splitlines() if re.match(r"\| (nothing|\w+ [\d.]+) \|", line)]
    # What the base has already is not trained again.
    assert [row.split(" |")[0] for row in rows] == ["| nothing", "| dropout 0", "| ema 0.5", "| layers 1"]
    assert rows[0].endswith("| |")
    assert all(re.search(r"[+-]\d+\.\d\d ± \d+\.\d\d \|$", row) for row in rows[1:])

import pytest

from nextpixel.runtime import terminal
from nextpixel.runtime.terminal import TerminalProgress, duration


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.2, "1 second"), (40, "40 seconds"), (90, "2 minutes"), (3600, "60 minutes"), (1.5e7, "4,167 hours")],
)
def test_durations_in_words(seconds, words):
    assert duration(seconds) == f"about {words}"


@pytest.mark.parametrize(("total", "told"), [(1000, "compressing: about 7 minutes in all\n"), (10, ""), (None, "")])
def test_without_a_bar_long_work_says_how_long_it_takes(total, told, capsys, monkeypatch):
    now = iter([0.0, 1.0, 4.0, 9.0, 10.0])
    monkeypatch.setattr(terminal, "working_time", lambda: next(now, 11.0))
    with TerminalProgress().task("compressing", total) as advance:
        for count in (3, 7, 8, 1):
            advance(count)
    assert capsys.readouterr().err == told


def test_what_comes_before_the_first_of_it_is_no_measure(capsys, monkeypatch):
    now = iter([0.0, 40.0, 41.0, 44.0])
    monkeypatch.setattr(terminal, "working_time", lambda: next(now))
    with TerminalProgress().task("compressing", 1000) as advance:
        for count in (1, 100, 299):
            advance(count)
    # 40 seconds, and then a hundred a second: less than what is worth telling.
    assert capsys.readouterr().err == ""

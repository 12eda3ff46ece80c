import sys
from types import ModuleType

import pytest

from nextpixel.runtime import notebook, terminal
from nextpixel.runtime.progress import Status
from nextpixel.runtime.terminal import TerminalProgress


class Line:
    """What IPython's `display` returns: what it shows is replaced by `update`."""

    def __init__(self, states):
        self.states = states

    def update(self, data, *, raw):
        assert raw
        self.states.append(data)


@pytest.fixture
def states(monkeypatch):
    """Every state of the lines that are displayed, in a notebook whose clock goes a second at each look."""
    shown = []
    module = ModuleType("IPython.display")

    def display(data, *, raw, display_id):
        assert raw and display_id
        shown.append(data)
        return Line(shown)

    module.display = display
    monkeypatch.setitem(sys.modules, "IPython", ModuleType("IPython"))
    monkeypatch.setitem(sys.modules, "IPython.display", module)
    monkeypatch.setattr(terminal.console, "is_jupyter", True)
    now = iter(range(1000))
    monkeypatch.setattr(notebook.time, "monotonic", lambda: float(next(now)))
    return shown


def test_a_task_is_a_line_that_is_replaced(states):
    with TerminalProgress().task("scoring <b>", 1000) as advance:
        advance(250)
        advance(750)
    assert [state["text/plain"] for state in states] == [
        *("scoring <b>", "scoring <b> 25% 250/1,000", "scoring <b> 100% 1,000/1,000", "scoring <b> 100% 1,000/1,000")
    ]
    assert 'max="1" value="0.2500"' in states[1]["text/html"] and "scoring &lt;b&gt;" in states[1]["text/html"]


def test_without_a_total_there_is_a_count_and_no_part(states):
    with TerminalProgress().task("reading", None) as advance:
        advance(7)
    assert states[1]["text/plain"] == "reading 7" and "value=" not in states[1]["text/html"]


def test_a_training_keeps_its_last_state_when_it_fails(states):
    with pytest.raises(KeyboardInterrupt), TerminalProgress().training() as show:
        show(Status(step=30, progress=0.5, bits_per_dim=2.5, images_per_second=99, seconds_left=61, valid=None))
        raise KeyboardInterrupt
    assert states[-1]["text/plain"] == "training 50% step 30  2.5000 bits/dim  99 images/s  1:01 left"


def test_a_page_is_not_redrawn_too_often(states, monkeypatch):
    monkeypatch.setattr(notebook.time, "monotonic", lambda: 0.0)
    with notebook.bar("drawing") as show:
        for part in range(100):
            show(part / 100, "")
    assert len(states) == 2 and states[-1]["text/plain"] == "drawing 99%"

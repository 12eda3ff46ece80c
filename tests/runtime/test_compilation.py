import _thread
import logging
import threading
import time

import pytest

from nextpixel.runtime import compilation
from nextpixel.runtime.compilation import LateCompiled, compiling, what_is_compiled, working_time

PATIENCE = 60
TOLD = "compiling the engine, once for each installation: some 15 seconds"


class Compiler:
    """What stands for a function that is compiled at its first call: that lasts until it is let go on."""

    def __init__(self):
        self.begins, self.goes_on = threading.Event(), threading.Event()
        self.calls = []

    def __call__(self, *arguments):
        self.begins.set()
        assert self.goes_on.wait(PATIENCE)
        self.calls.append(arguments)


@pytest.fixture
def compiler():
    compiler = Compiler()
    yield compiler
    compiler.goes_on.set()
    until(lambda: not compiling())


def until(condition):
    last = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < last
        time.sleep(0.01)


def called_in_thread(function, *arguments):
    thread = threading.Thread(target=function, args=arguments)
    thread.start()
    return thread


def messages(caplog):
    return [record.getMessage() for record in caplog.records]


def test_of_threads_that_wait_for_one_compilation_one_tells_of_it(monkeypatch, caplog, compiler):
    monkeypatch.setattr(compilation, "SLOW", 0.05)
    late = LateCompiled(compiler, "the engine", seconds=15)
    threads = [called_in_thread(late, number) for number in range(2)]
    until(lambda: messages(caplog))
    assert compiling() and not late.ready and what_is_compiled() == TOLD
    compiler.goes_on.set()
    for thread in threads:
        thread.join()
    assert sorted(compiler.calls) == [(0,), (1,)] and messages(caplog) == [TOLD]
    assert late.ready and not compiling() and what_is_compiled() is None


def test_what_was_kept_is_read_without_a_word(caplog):
    late = LateCompiled(lambda: None, "the engine", seconds=15)
    with caplog.at_level(logging.DEBUG):
        late()
    assert late.ready and not messages(caplog)


def test_that_nothing_can_be_kept_is_told(monkeypatch, caplog, compiler):
    monkeypatch.setattr(compilation, "SLOW", 0.0)
    thread = called_in_thread(LateCompiled(compiler, "the decoder", seconds=5, kept=False))
    until(lambda: messages(caplog))
    compiler.goes_on.set()
    thread.join()
    assert messages(caplog) == ["compiling the decoder, each time, as there is no place to keep it: some 5 seconds"]


def test_the_clock_of_forecasts_stands_still_meanwhile(compiler):
    before = working_time()
    thread = called_in_thread(LateCompiled(compiler, "the engine", seconds=15))
    assert compiler.begins.wait(PATIENCE)
    stopped = working_time()
    time.sleep(0.2)
    assert working_time() == stopped
    compiler.goes_on.set()
    thread.join()
    assert before <= stopped <= working_time() < stopped + 0.2
    later = working_time()
    time.sleep(0.01)
    assert working_time() > later


def test_ctrl_c_is_taken_at_once_and_the_compilation_goes_on(compiler):
    late = LateCompiled(compiler, "the engine", seconds=15)

    def interrupt():
        assert compiler.begins.wait(PATIENCE)
        _thread.interrupt_main()

    called_in_thread(interrupt)
    with pytest.raises(KeyboardInterrupt):
        late("first")
    assert compiling() and not compiler.calls
    compiler.goes_on.set()
    late("second")
    until(lambda: not compiling())
    assert late.ready and sorted(compiler.calls) == [("first",), ("second",)]


def test_a_fault_is_raised_where_it_was_called():
    def wrong(_):
        raise ZeroDivisionError

    late = LateCompiled(wrong, "the engine", seconds=15)
    for _ in range(2):
        with pytest.raises(ZeroDivisionError):
            late(0)
        assert not late.ready and not compiling()

"""What is told of compiling."""

import threading

from nextpixel.engines import kernel as kernel_module
from nextpixel.engines import native


def test_threads_that_wait_for_one_compilation_tell_of_it_once(monkeypatch, caplog):
    together = threading.Barrier(2, timeout=60)
    seen = []

    def run():
        together.wait()
        seen.append(native.compiling())
        together.wait()

    monkeypatch.setattr(kernel_module, "run", run)
    monkeypatch.setattr(native, "SLOW", 0)
    engine = native.kernel.__wrapped__()
    threads = [threading.Thread(target=engine) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen == [True, True] and not native.compiling()
    assert len([record for record in caplog.records if "compiled the engine" in record.message]) == 1

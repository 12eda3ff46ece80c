"""What each of several processes runs in `test_several_processes.py`."""

import tempfile
from pathlib import Path

import torch

import nextpixel as nx
from nextpixel.runtime.distributed import ALONE, current, launched


def fail(rank, which):
    if rank in which:
        raise nx.InputError(f"from {rank}")
    return rank


def raised(act):
    try:
        act()
    except nx.InputError as error:
        return str(error), error.shared
    return None


with launched() as processes, tempfile.TemporaryDirectory() as folder:
    rank, count = processes.rank, processes.count
    assert processes is current()
    for number in (0, 1, 2, 3, 7):
        tasks = [f"task {each}" for each in range(number)]
        done = []
        assert list(processes.each(tasks, lambda task, done=done: (done.append(task), task.upper())[1])) == [
            task.upper() for task in tasks
        ]
        assert done == tasks[rank::count]
        assert processes.all(done) == [tasks[each::count] for each in range(count)]
    assert [processes.beside("abcdef", each) for each in range(count)] == ["abcdef"[:count]] * count
    shares = processes.all(processes.share(7))
    assert [each for share in shares for each in range(7)[share]] == list(range(7))
    # What one process does while it works on its own task is not divided again.
    assert set(processes.each([1, 2, 3], lambda _: current() is ALONE)) == {True}
    assert current() is processes
    assert processes.sum(torch.tensor([1.0, rank])).tolist() == [count, sum(range(count))]
    assert processes.from_first(lambda: fail(rank, {1, 2})) == 0
    assert raised(lambda: processes.from_first(lambda: fail(rank, {0}))) == ("from 0", True)
    assert processes.together(lambda: fail(rank, set())) == rank
    assert raised(lambda: processes.together(lambda: fail(rank, {count - 1}))) == (f"from {count - 1}", True)
    assert raised(lambda: list(processes.each([0, 1, 2], lambda task: fail(task, {1, 2})))) == ("from 1", True)
    assert processes.machine_by_machine(lambda: rank) == rank
    assert raised(lambda: processes.machine_by_machine(lambda: fail(rank, {0}))) == ("from 0", True)
    made = Path(processes.from_first(lambda: folder)) / "made"
    seen = processes.machine_by_machine(lambda: made.exists() or not made.write_text("x"))
    assert seen is (rank > 0)
    processes.all(None)
assert current() is ALONE

"""Starting several processes that find each other, as torchrun does, without its agent."""

import os
import socket
import subprocess
import sys
from pathlib import Path

TESTS = Path(__file__).parents[1]


def start(count, *arguments, machines=1):
    """Start `python *arguments` in so many processes, on one machine or on several that are all this one."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    each = count // machines
    common = {**os.environ, "WORLD_SIZE": str(count), "LOCAL_WORLD_SIZE": str(each), "OMP_NUM_THREADS": "1"}
    common |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    common |= {"PYTHONPATH": os.pathsep.join([str(TESTS), *sys.path])}
    return [
        subprocess.Popen(
            [sys.executable, *map(str, arguments)],
            env={**common, "RANK": str(rank), "LOCAL_RANK": str(rank % each)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in range(count)
    ]


def finish(processes, timeout=240):
    """Wait for processes; for each its exit code, output and errors."""
    found = []
    try:
        for process in processes:
            out, errors = process.communicate(timeout=timeout)
            found.append((process.returncode, out, without_gloo(errors)))
    finally:
        for process in processes:
            process.kill()
    return found


def without_gloo(errors):
    """The lines of a standard error that are not of PyTorch's Gloo, which in old versions tells of its connections."""
    return "".join(line for line in errors.splitlines(keepends=True) if not line.startswith("[Gloo]"))


def together(count, *arguments, machines=1):
    """Run `python *arguments` in so many processes, which must succeed; the output of the first."""
    found = finish(start(count, *arguments, machines=machines))
    assert all(code == 0 for code, _, _ in found), "\n".join(errors for _, _, errors in found)
    return found[0][1]

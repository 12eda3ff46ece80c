"""What libraries print on the standard output, where a command's results are."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

OUTPUT, ERRORS = 1, 2


@contextmanager
def output_as_errors() -> Iterator[None]:
    """Lead what is printed on the standard output, in C++ as well, to the standard error.

    Gloo, by which processes on the CPU find each other, tells of its connections there in some versions, amid `--json`.
    """
    sys.stdout.flush()
    output = os.dup(OUTPUT)
    os.dup2(ERRORS, OUTPUT)
    try:
        yield
        sys.stdout.flush()
    finally:
        os.dup2(output, OUTPUT)
        os.close(output)

import os
import subprocess
import sys

import pytest

from nextpixel.runtime.standard_output import output_as_errors


def test_what_libraries_print_is_no_result(capfd):
    os.write(1, b"before\n")
    with output_as_errors():
        os.write(1, b"of a library\n")
    os.write(1, b"after\n")
    captured = capfd.readouterr()
    assert captured.out == "before\nafter\n"
    assert captured.err == "of a library\n"


def test_what_python_keeps_for_later_goes_where_it_was_printed():
    script = (
        "from nextpixel.runtime.standard_output import output_as_errors\nprint('before')\n"
        "with output_as_errors(): print('inside')\nprint('after')"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=120)
    assert (done.stdout, done.stderr) == ("before\nafter\n", "inside\n")


def test_after_an_error_the_output_is_what_it_was(capfd):
    with pytest.raises(ValueError, match="wrong"), output_as_errors():
        raise ValueError("wrong")
    os.write(1, b"result\n")
    assert capfd.readouterr().out == "result\n"

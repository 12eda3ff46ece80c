import subprocess
import sys

import pytest

import nextpixel as nx
from nextpixel import errors


def test_every_public_name_is_there():
    for name in nx.__all__:
        assert getattr(nx, name) is not None
    assert dir(nx) == sorted(nx.__all__)


def test_a_name_that_is_not_there_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'bild'"):
        nx.bild  # noqa: B018


def test_importing_does_not_wait_for_torch():
    code = "import sys, nextpixel; nextpixel.models(); sys.exit('torch' in sys.modules or 'numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_every_error_can_be_caught_as_one():
    kinds = [errors.DataError, errors.ModelError, errors.InputError, errors.TrainingError]
    assert all(issubclass(kind, errors.NextpixelError) and kind.exit_code == 2 for kind in kinds)

import subprocess
import sys

import nextpixel as nx


def test_import_is_quick_because_torch_waits():
    code = "import sys, nextpixel; nextpixel.models(); sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_every_public_name_is_there():
    for name in nx.__all__:
        assert getattr(nx, name) is not None
    assert set(nx.__all__) <= set(dir(nx))


def test_all_errors_are_nextpixel_errors():
    for error in (nx.DataError, nx.InputError, nx.ModelError, nx.TrainingError):
        assert issubclass(error, nx.NextpixelError)

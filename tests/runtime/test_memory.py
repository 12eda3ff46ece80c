import subprocess
import sys

import pytest

PROGRAM = """
import resource, torch
from nextpixel.runtime.memory import keep_freed_memory
done = keep_freed_memory()
for _ in range(20):
    torch.ones(2**22)
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(20):
    torch.ones(2**22)
print(done, resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="glibc is Linux's")
def test_what_was_freed_is_used_again_without_new_pages():
    done, faults = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True
    ).stdout.split()
    # 16 MB from new pages, twenty times, would be 81,920 of them.
    assert done == "False" or int(faults) < 2000

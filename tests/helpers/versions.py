"""What only new versions of the dependencies do."""

import pytest
import torch

TORCH = tuple(int(part) for part in torch.__version__.partition("+")[0].split(".")[:2])

since_torch_2_13 = pytest.mark.skipif(TORCH < (2, 13), reason="PyTorch 2.13 does it, and old versions do not")

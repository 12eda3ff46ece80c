import platform

import pytest
import torch

from nextpixel.runtime import hardware as module
from nextpixel.runtime.hardware import hardware


def test_the_processor_calls_itself_by_its_name(tmp_path, monkeypatch):
    (tmp_path / "cpuinfo").write_text("processor\t: 0\nmodel name\t: Slide Rule 9000\nprocessor\t: 1\n")
    monkeypatch.setattr(module, "CPU_FILE", tmp_path / "cpuinfo")
    monkeypatch.setattr(module.os, "cpu_count", lambda: 6)
    assert hardware() == f"Slide Rule 9000, 1 of 6 cores, torch {torch.__version__}"


@pytest.mark.parametrize("content", [None, "", "model name\t:\n"])
def test_where_it_does_not_its_architecture_stands_in(tmp_path, monkeypatch, content):
    if content is not None:
        (tmp_path / "cpuinfo").write_text(content)
    monkeypatch.setattr(module, "CPU_FILE", tmp_path / "cpuinfo")
    assert (platform.processor() or platform.machine()) in hardware("auto" if not torch.cuda.is_available() else "cpu")

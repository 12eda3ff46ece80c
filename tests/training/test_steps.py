import pytest
import torch

import nextpixel as nx
from nextpixel.training import objective
from nextpixel.training.settings import TrainingSettings
from nextpixel.training.steps import memory_faults_told

CPU = "[enforce fail at alloc_cpu.cpp:127] err == 0. DefaultCPUAllocator: can't allocate memory: you tried to allocate"


@pytest.mark.parametrize("fault", [torch.OutOfMemoryError("CUDA out of memory"), MemoryError(), RuntimeError(CPU)])
def test_too_little_memory_names_the_remedies(fault):
    with (
        pytest.raises(nx.TrainingError, match=r"16 images of 3 x 768 x 512.*--batch-size.*--accumulate.*--crop"),
        memory_faults_told(TrainingSettings(), 16, (3, 768, 512)),
    ):
        raise fault


def test_other_faults_stay_what_they_are():
    with pytest.raises(RuntimeError, match="shapes"), memory_faults_told(TrainingSettings(), 1, (1, 2, 2)):
        raise RuntimeError("shapes do not fit")


def test_compiling_without_a_compiler_is_refused_in_a_sentence(tiny, shapes, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CXX", raising=False)
    assert not objective.has_compiler()
    settings = TrainingSettings(steps=1, compile=True, device="cpu")
    with pytest.raises(nx.TrainingError, match=r"C\+\+ compiler.*--no-compile"):
        nx.train(tiny(), nx.open_images(shapes), tmp_path / "run", settings=settings, progress=nx.Progress())

import pytest
import torch

from nextpixel.training.precision import use_bfloat16
from nextpixel.training.settings import TrainingSettings

CPU = torch.device("cpu")


@pytest.mark.parametrize(
    ("able", "expected"),
    [
        ({"amx_bf16": True, "avx512_bf16": True}, True),
        ({"amx_bf16": False, "avx512_bf16": True}, True),
        ({"amx_bf16": False, "avx512_bf16": False, "avx2": True}, False),
        ({"architecture": "aarch64"}, False),
    ],
)
def test_auto_asks_the_processor_for_bfloat16_instructions(able, expected, monkeypatch):
    monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: True)
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: able, raising=False)
    assert use_bfloat16(TrainingSettings(), CPU) is expected
    assert use_bfloat16(TrainingSettings(precision="bfloat16"), CPU)
    assert not use_bfloat16(TrainingSettings(precision="float32"), CPU)


def test_auto_needs_the_library_that_uses_them(monkeypatch):
    monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: False)
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"amx_bf16": True}, raising=False)
    assert not use_bfloat16(TrainingSettings(), CPU)


def test_where_pytorch_cannot_tell_it_is_float32(monkeypatch):
    monkeypatch.delattr(torch.cpu, "get_capabilities", raising=False)
    assert not use_bfloat16(TrainingSettings(), torch.device("cpu"))

"""In which numbers to train."""

from __future__ import annotations

import torch

from nextpixel.training.settings import TrainingSettings


def use_bfloat16(settings: TrainingSettings, device: torch.device) -> bool:
    """Whether to run the network under bfloat16 autocast.

    `auto` does so where the hardware multiplies bfloat16 matrices faster than float32 ones: CPUs with AMX, and CUDA
    devices that support it natively. The weights, the optimiser and the loss are float32 in any case.
    """
    if settings.precision != "auto":
        return settings.precision == "bfloat16"
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    return device.type == "cpu" and bool(torch.cpu.get_capabilities().get("amx_bf16"))

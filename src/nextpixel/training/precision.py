"""Where to train, and in which numbers."""

from __future__ import annotations

from typing import TypeVar

import torch
from torch import nn

from nextpixel.errors import TrainingError
from nextpixel.training.settings import TrainingSettings

Module = TypeVar("Module", bound=nn.Module)


def placed(module: Module, device: torch.device | str | None = None) -> Module:
    """Move a module to a device, and lay its weights out so that convolutions are fastest, with the channels last.

    Args:
        module: the module, which is changed.
        device: where to; None leaves it where it is.

    Returns:
        The module.
    """
    # PyTorch's annotations leave `memory_format` out.
    moved: Module = module.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    return moved


def device_for(settings: TrainingSettings) -> torch.device:
    """The device of a run, which every process has for itself.

    Raises:
        TrainingError: it cannot be used here.
    """
    name = settings.device
    if name == "auto":
        name = f"cuda:{torch.cuda.current_device()}" if torch.cuda.is_available() else "cpu"
    try:
        device = torch.device(name)
        if device.type not in ("cpu", "cuda", "mps", "xpu"):
            raise RuntimeError("no device to compute on")
        torch.zeros(1, device=device)
    except (RuntimeError, AssertionError) as error:
        raise TrainingError(f"device {name!r} cannot be used here; use --device cpu") from error
    return device


def use_bfloat16(settings: TrainingSettings, device: torch.device) -> bool:
    """Whether to run the network under bfloat16 autocast.

    `auto` does so where the hardware multiplies bfloat16 matrices faster than float32 ones: CPUs with AMX or the
    bfloat16 instructions of AVX-512, and CUDA devices that support it natively. It asks what the hardware can do and
    measures nothing, so that a run that is resumed on the same machine always decides as before. The weights, the
    optimiser and the loss are float32 in any case. Versions of PyTorch that cannot tell (2.9) take float32 on a CPU.
    """
    if settings.precision != "auto":
        return settings.precision == "bfloat16"
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    if device.type != "cpu" or not torch.backends.mkldnn.is_available():
        return False
    # Old versions of PyTorch do not tell.
    able = torch.cpu.get_capabilities() if hasattr(torch.cpu, "get_capabilities") else {}
    return any(able.get(name) for name in ("amx_bf16", "avx512_bf16"))

"""What a run was computed on, in words for its model card."""

from __future__ import annotations

import os
import platform
from pathlib import Path

import torch

CPU_FILE = Path("/proc/cpuinfo")


def hardware(device: str | torch.device = "cpu") -> str:
    """The processor, how much of it PyTorch uses, and the version of PyTorch; no name of the machine.

    Args:
        device: where the model is; "auto" is taken for what training takes it for.

    Returns:
        Such as "AMD EPYC, 1 of 2 cores, torch 2.13.0+cpu".
    """
    version = f"torch {torch.__version__}"
    kind = torch.device("cuda" if torch.cuda.is_available() else "cpu") if device == "auto" else torch.device(device)
    if kind.type == "cuda":
        return f"{torch.cuda.get_device_name(kind)}, {version}"
    if kind.type != "cpu":
        return f"{kind.type}, {_processor()}, {version}"
    return f"{_processor()}, {torch.get_num_threads()} of {os.cpu_count() or 1} cores, {version}"


def _processor() -> str:
    """The processor as it calls itself, else its architecture."""
    try:
        lines = CPU_FILE.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return next(filter(None, models), "") or platform.processor() or platform.machine() or "unknown processor"

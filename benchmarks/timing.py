"""What the benchmarks of speed share: a step of training, turns, ratios, and the machine's name."""

from __future__ import annotations

import platform
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from nextpixel.training.optimization import make_average, make_optimizer
from nextpixel.training.settings import TrainingSettings

Objective = Callable[[Tensor], Tensor]


def processor() -> str:
    """The processor's name, and how it multiplies bfloat16."""
    info = Path("/proc/cpuinfo")
    names = [line.split(":")[1].strip() for line in info.read_text().splitlines() if line.startswith("model name")]
    name = names[0] if names else platform.processor()
    able = torch.cpu.get_capabilities()
    units = [unit for flag, unit in (("amx_bf16", "AMX"), ("avx512_bf16", "AVX-512")) if able.get(flag)]
    return f"{name}, bfloat16 by {units[0]}" if units else f"{name}, without bfloat16"


def training_step(model: nn.Module, objective: Objective, images: Tensor, *, bfloat16: bool) -> Callable[[], None]:
    """A step as `nextpixel train` takes it: autocast, both passes, clipping, AdamW and the moving average.

    Args:
        model: of which the parameters are trained.
        objective: log-probabilities of images.
        images: the batch.
        bfloat16: whether to run under autocast.
    """
    settings = TrainingSettings(steps=1)
    parameters = list(model.parameters())
    optimizer, average = make_optimizer(model, settings), make_average(model, settings.ema)

    def step() -> None:
        with torch.autocast(images.device.type, torch.bfloat16, enabled=bfloat16):
            nats = -objective(images).mean()
        optimizer.zero_grad()
        (nats / images[0].numel()).backward()
        nn.utils.clip_grad_norm_(parameters, settings.clip)
        optimizer.step()
        average.update_parameters(model)

    return step


def alternately(
    steps: Mapping[str, Callable[[], object]],
    turns: int,
    *,
    warm_up: int = 1,
    clock: Callable[[], float] = time.perf_counter,
) -> dict[str, list[float]]:
    """Seconds of each step, turn by turn, so that all of them meet the same moods of the machine."""
    times: dict[str, list[float]] = {name: [] for name in steps}
    for turn in range(-warm_up, turns):
        for name, step in steps.items():
            start = clock()
            step()
            if turn >= 0:
                times[name].append(clock() - start)
    return times


def ratio(numerators: Sequence[float], denominators: Sequence[float]) -> float:
    """The median of the ratios, turn by turn."""
    return statistics.median(one / other for one, other in zip(numerators, denominators, strict=True))

"""What moves the weights: the optimiser, and the moving average of the weights that is evaluated."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from nextpixel.training.settings import TrainingSettings


def make_optimizer(model: nn.Module, settings: TrainingSettings) -> torch.optim.Optimizer:
    """AdamW, or RMSProp as in arXiv 1601.06759."""
    options: dict[str, Any] = {"lr": settings.learning_rate, "weight_decay": settings.weight_decay}
    if settings.optimizer == "adamw":
        return torch.optim.AdamW(model.parameters(), betas=(0.9, 0.99), **options)
    return torch.optim.RMSprop(model.parameters(), **options)


def make_average(model: nn.Module, decay: float) -> AveragedModel:
    """A moving average of the weights, with a smaller decay at the start so that it forgets the initial ones."""
    return AveragedModel(model, multi_avg_fn=_update(decay))


def _update(decay: float) -> Callable[[Any, Any, Any], None]:
    @torch.no_grad()
    def update(averages: list[Tensor], weights: list[Tensor], count: Tensor) -> None:
        seen = int(count)
        torch._foreach_lerp_(averages, weights, 1 - min(decay, (1 + seen) / (10 + seen)))

    return update

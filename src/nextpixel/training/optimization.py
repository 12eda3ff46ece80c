"""What moves the weights: the optimiser, and the moving average of the weights that is evaluated."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from nextpixel.training.settings import TrainingSettings

Tensors = tuple[Tensor, ...] | list[Tensor]


def make_optimizer(model: nn.Module, settings: TrainingSettings) -> torch.optim.Optimizer:
    """AdamW, or RMSProp as in arXiv 1601.06759."""
    rate, decay = settings.learning_rate, settings.weight_decay
    if settings.optimizer == "adamw":
        return torch.optim.AdamW(model.parameters(), lr=rate, betas=(0.9, 0.99), weight_decay=decay)
    return torch.optim.RMSprop(model.parameters(), lr=rate, weight_decay=decay)


def make_average(model: nn.Module, decay: float) -> AveragedModel:
    """A moving average of the weights, with a smaller decay at the start so that it forgets the initial ones."""
    return AveragedModel(model, multi_avg_fn=_update(decay))


def _update(decay: float) -> Callable[[Tensors, Tensors, Tensor | int], None]:
    @torch.no_grad()
    def update(averages: Tensors, weights: Tensors, count: Tensor | int) -> None:
        seen = int(count)
        torch._foreach_lerp_(averages, weights, 1 - min(decay, (1 + seen) / (10 + seen)))

    return update

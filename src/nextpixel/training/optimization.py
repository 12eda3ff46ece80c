"""What moves the weights: the optimiser, and the moving average of the weights that is evaluated."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypedDict, cast

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from nextpixel.training.settings import TrainingSettings

Tensors = tuple[Tensor, ...] | list[Tensor]

MOMENTS: dict[type[torch.optim.Optimizer], set[str]] = {
    torch.optim.AdamW: {"step", "exp_avg", "exp_avg_sq"},
    torch.optim.RMSprop: {"step", "square_avg"},
}
"""What an optimiser keeps for a weight, by name."""


class OptimizerState(TypedDict):
    """What `state_dict` of an optimiser returns, as far as it is restored.

    Attributes:
        state: What is kept for each weight, by its number.
        param_groups: The numbers of the weights, beside the settings.
    """

    state: dict[int, dict[str, Tensor]]
    param_groups: list[dict[str, list[int]]]


def make_optimizer(model: nn.Module, settings: TrainingSettings) -> torch.optim.Optimizer:
    """AdamW, or RMSProp as in arXiv 1601.06759."""
    rate, decay = settings.learning_rate, settings.weight_decay
    if settings.optimizer == "adamw":
        return torch.optim.AdamW(model.parameters(), lr=rate, betas=(0.9, 0.99), weight_decay=decay)
    return torch.optim.RMSprop(model.parameters(), lr=rate, weight_decay=decay)


def restore_optimizer(optimizer: torch.optim.Optimizer, state: Mapping[str, object]) -> None:
    """Give an optimiser the state of another one like it. Its settings stay its own; PyTorch checks neither.

    Args:
        optimizer: One that `make_optimizer` made.
        state: What the other one's `state_dict` returned.

    Raises:
        ValueError: It is not such a state.
    """
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    # What it says is its type is looked at below, and whatever else the file holds makes Python complain.
    stored = cast(OptimizerState, state)
    moments, numbers = stored["state"], [number for group in stored["param_groups"] for number in group["params"]]
    if numbers != list(range(len(parameters))) or not set(moments) <= set(numbers):
        raise ValueError("it is of other weights")
    names = MOMENTS[type(optimizer)]
    for number, tensors in moments.items():
        if set(tensors) != names:
            raise ValueError("it has other entries")
        for name, tensor in tensors.items():
            shape = torch.Size([]) if name == "step" else parameters[number].shape
            fits = isinstance(tensor, Tensor) and tensor.shape == shape
            if not (fits and tensor.is_floating_point() and bool(tensor.isfinite().all())):
                raise ValueError("an entry is no tensor of finite numbers, or of another shape")
    optimizer.load_state_dict({"state": moments, "param_groups": optimizer.state_dict()["param_groups"]})


def make_average(model: nn.Module, decay: float) -> AveragedModel:
    """A moving average of the weights, with a smaller decay at the start so that it forgets the initial ones."""
    return AveragedModel(model, multi_avg_fn=_update(decay))


def _update(decay: float) -> Callable[[Tensors, Tensors, Tensor | int], None]:
    @torch.no_grad()
    def update(averages: Tensors, weights: Tensors, count: Tensor | int) -> None:
        seen = int(count)
        torch._foreach_lerp_(averages, weights, 1 - min(decay, (1 + seen) / (10 + seen)))

    return update

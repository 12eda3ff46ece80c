"""What training minimises, as one module that can be compiled and shared among processes."""

from __future__ import annotations

import os
import shutil
import warnings
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from inspect import signature

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from nextpixel.errors import TrainingError
from nextpixel.families.base import ImageModel
from nextpixel.nn.conditions import Values
from nextpixel.runtime.distributed import Processes


class Objective(nn.Module):
    """The likelihood of a batch, and the loss of the network that is trained beside the model, if there is one.

    Args:
        model: the model.
    """

    def __init__(self, model: ImageModel) -> None:
        super().__init__()
        self.model = model

    def forward(self, images: Tensor, condition: Values | None) -> tuple[Tensor, Tensor | None]:
        """See `ImageModel.log_prob` and `ImageModel.companion_loss`."""
        return self.model.log_prob(images, condition), self.model.companion_loss(images)


def make_objective(model: ImageModel, processes: Processes, *, compiled: bool, device: torch.device) -> nn.Module:
    """The objective of a model.

    With several processes its gradients are averaged over them while they are computed. All parameters are then taken
    to be used in any step, and the sums to be made in the same order whenever a run is resumed: PyTorch would otherwise
    order them anew after the first step, and the bits would depend on where a run was interrupted.

    Args:
        model: the model.
        processes: those that share the work.
        compiled: whether to compile it with `torch.compile`.
        device: where the model is.

    Raises:
        TrainingError: it is to be compiled for a CPU, and there is no C++ compiler.
    """
    objective: nn.Module = Objective(model)
    if compiled:
        if device.type == "cpu" and not has_compiler():
            raise TrainingError(
                "--compile needs a C++ compiler, and there is none; install g++ or clang++ (or name it in the variable "
                "CXX), or train with --no-compile, which is slower"
            )
        optimized = torch.compile(objective)
        assert isinstance(optimized, nn.Module)
        objective = optimized
    if processes.count == 1:
        return objective
    devices = [model.device] if model.device.type == "cuda" else None
    # Of the two ways to lay out a 1x1 kernel's gradient PyTorch takes one and expects the other; they are the same.
    warnings.filterwarnings("ignore", message="Grad strides do not match bucket view strides")
    share = partial(DistributedDataParallel, objective, devices, find_unused_parameters=True)
    # The masks are the same everywhere. Not to send them around is asked for by another name in new versions.
    if "forward_sync_buffers" in signature(DistributedDataParallel).parameters:
        return share(forward_sync_buffers=False)
    return share(broadcast_buffers=False)


def has_compiler() -> bool:
    """Whether there is a C++ compiler, as PyTorch looks for one."""
    names = (os.environ.get("CXX"), "g++", "clang++", "c++", "cl")
    return any(name is not None and shutil.which(name.split()[0] if name.strip() else "") for name in names)


def last_adds_up(objective: nn.Module, *, last: bool) -> AbstractContextManager[None]:
    """Inside, gradients are only added up within this process, unless it is the last part of a step."""
    if last or not isinstance(objective, DistributedDataParallel):
        return nullcontext()
    return objective.no_sync()

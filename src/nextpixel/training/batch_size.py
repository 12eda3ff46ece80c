"""`--batch-size auto`: as many images a step as there is memory for, as long as more of them make it faster."""

from __future__ import annotations

import dataclasses
import math
import os
import time
from pathlib import Path

import psutil
import torch
from torch import Tensor

from nextpixel.families.base import ImageModel
from nextpixel.runtime.distributed import current
from nextpixel.training.images import TrainingImages
from nextpixel.training.precision import device_for, placed, use_bfloat16
from nextpixel.training.run_folder import read_settings
from nextpixel.training.settings import TrainingSettings

SMALLEST, LARGEST = 8, 1024
WORTHWHILE = 1.1
"""A batch of twice as many images is taken if it makes at least so many times as many images a second."""
PART_OF_MEMORY = 0.5


def with_batch_size(
    settings: TrainingSettings, model: ImageModel, images: TrainingImages, resumed: Path | None
) -> TrainingSettings:
    """The settings with a batch size that is a number.

    Args:
        settings: of the run.
        model: the model with its initial weights.
        images: the training images.
        resumed: the folder of a run that goes on, whose batch size is kept; None for a new run.
    """
    if settings.batch_size != "auto":
        return settings
    kept = {} if resumed is None else read_settings(resumed)
    if isinstance(kept.get("batch_size"), int):
        return dataclasses.replace(settings, batch_size=kept["batch_size"])
    size_here = current().from_first(lambda: _best(settings, model, images))
    return dataclasses.replace(settings, batch_size=size_here * current().count * settings.accumulate)


def _best(settings: TrainingSettings, model: ImageModel, images: TrainingImages) -> int:
    """The images that one process best takes at once."""
    placed(model, device_for(settings))
    most = max(1, min(LARGEST, len(images) // (current().count * settings.accumulate)))
    size = best = min(SMALLEST, most)
    speed = 0.0
    while size <= most:
        try:
            needed, seconds = _tried(settings, model, images, size)
        except torch.OutOfMemoryError:
            break
        if size / seconds < WORTHWHILE * speed:
            break
        best, speed = size, size / seconds
        size *= 2
        if 2 * needed > _allowed(model.device):
            break
    model.zero_grad()
    return best


def _tried(settings: TrainingSettings, model: ImageModel, images: TrainingImages, size: int) -> tuple[int, float]:
    """The bytes that a batch keeps for its gradient, and the seconds that it takes."""
    indices = range(size)
    kept: dict[int, int] = {}

    def count(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    took = math.inf
    batch, condition = images.batch(indices).to(model.device), images.condition_of(indices)
    model.train()
    model.checkpoint_activations = settings.checkpoint_activations
    # The first time is slower: memory is taken from the system, and kernels are chosen.
    for _ in range(3):
        kept.clear()
        start = time.perf_counter()
        with (
            torch.autograd.graph.saved_tensors_hooks(count, lambda tensor: tensor),
            torch.autocast(model.device.type, torch.bfloat16, enabled=use_bfloat16(settings, model.device)),
        ):
            loss = -model.log_prob(batch, condition).mean()
        loss.backward()
        if model.device.type == "cuda":
            torch.cuda.synchronize()
        took = min(took, time.perf_counter() - start)
    return sum(kept.values()), took


def _allowed(device: torch.device) -> float:
    """The bytes that the features of a batch may take, in each process of this machine."""
    if device.type == "cuda":
        return PART_OF_MEMORY * torch.cuda.mem_get_info(device)[1]
    return PART_OF_MEMORY * psutil.virtual_memory().available / int(os.environ.get("LOCAL_WORLD_SIZE", "1"))

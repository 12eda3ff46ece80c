"""One step of the training: the gradient of a batch, and the change of the weights."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from nextpixel.errors import TrainingError
from nextpixel.families.base import ImageModel
from nextpixel.runtime.distributed import Processes, everywhere
from nextpixel.training.checkpoint import Weights
from nextpixel.training.images import TrainingImages
from nextpixel.training.objective import last_adds_up, make_objective
from nextpixel.training.optimization import make_average, make_optimizer, restore_optimizer
from nextpixel.training.precision import device_for, placed, use_bfloat16
from nextpixel.training.schedule import step_indices, step_seed
from nextpixel.training.settings import TrainingSettings


class Steps:
    """The weights of a run, and what moves them.

    Args:
        model: the model with its initial weights; it is moved to the device of the run.
        images: the training images.
        settings: how to train; the batch size must be a number.
        processes: those that share the work.

    Attributes:
        model: the model, on the device.

    Raises:
        TrainingError: the device cannot be used, or a batch is too small to be divided.
    """

    def __init__(
        self, model: ImageModel, images: TrainingImages, settings: TrainingSettings, processes: Processes
    ) -> None:
        self._images, self._settings, self._processes = images, settings, processes
        self._batch_size = settings.images_a_step
        if self._batch_size < processes.count * settings.accumulate:
            error = TrainingError(
                f"a batch of {self._batch_size} images cannot be divided among {processes.count} processes in "
                f"{settings.accumulate} parts each; raise --batch-size, or lower --accumulate or the processes"
            )
            raise everywhere(error)
        self._device = device_for(settings)
        self.model = placed(model, self._device)
        # A companion is clipped by itself, so that the model learns as it would alone.
        self._companions = [] if model.companion is None else list(model.companion.parameters())
        others = {id(parameter) for parameter in self._companions}
        self._weights = [parameter for parameter in self.model.parameters() if id(parameter) not in others]
        self._average = make_average(self.model, settings.ema)
        self._optimizer = make_optimizer(self.model, settings)
        self._bfloat16 = use_bfloat16(settings, self._device)
        self.model.checkpoint_activations = settings.checkpoint_activations
        self._objective = make_objective(self.model, processes, compiled=settings.compile, device=self._device)
        self._dimensions = math.prod(images.image_shape)

    @property
    def averaged(self) -> ImageModel:
        """The model with the moving average of the weights, which is what is evaluated and saved."""
        averaged = self._average.module
        assert isinstance(averaged, ImageModel)
        return averaged

    @property
    def learning_rate(self) -> float:
        """The learning rate of the last step."""
        rate: float = self._optimizer.param_groups[0]["lr"]
        return rate

    def gradient(self, step: int) -> tuple[float, float]:
        """Compute the gradient of a step.

        Args:
            step: number of the step, from 0.

        Returns:
            The nats of the images that this process took, in sum, and the norm of the gradient of all.

        Raises:
            TrainingError: there is too little memory for it.
        """
        indices = step_indices(self._settings.seed, step, self._batch_size, len(self._images))
        self.model.train()
        self._optimizer.zero_grad()
        share = self._processes.share(self._batch_size)
        size = -(-(share.stop - share.start) // self._settings.accumulate)
        places = range(share.start, share.stop, size)
        total = torch.zeros(())
        for place in places:
            part = slice(place, min(place + size, share.stop))
            with (
                self._processes.noticing_losses(),
                last_adds_up(self._objective, last=place == places[-1]),
                memory_faults_told(self._settings, size, self._images.image_shape),
                # The same for all parts of a batch, wherever they are computed.
                self.model.step_of_training(step_seed(self._settings.seed, step)),
            ):
                total += self._backward(indices[part], step, place).cpu()
        norm = float(torch.nn.utils.clip_grad_norm_(self._weights, self._settings.clip))
        torch.nn.utils.clip_grad_norm_(self._companions, self._settings.clip)
        return float(total), norm

    def update(self, rate: float) -> None:
        """Change the weights along the last gradient, and their moving average.

        Args:
            rate: the learning rate.
        """
        for group in self._optimizer.param_groups:
            group["lr"] = rate
        self._optimizer.step()
        self._average.update_parameters(self.model)

    def state(self) -> Weights:
        """Return all that the next step depends on, but its number."""
        return {
            "model": self.model.state_dict(),
            "average": self._average.state_dict(),
            "optimizer": self._optimizer.state_dict(),
        }

    def restore(self, state: Weights) -> None:
        """Go on from what `state` returned.

        Raises:
            TrainingError: it is of another model or optimiser.
        """
        try:
            self.model.load_state_dict(state["model"])
            self._average.load_state_dict(state["average"])
            restore_optimizer(self._optimizer, state["optimizer"])
        except (RuntimeError, ValueError, TypeError, KeyError, AttributeError, IndexError) as error:
            raise everywhere(
                TrainingError(
                    "the checkpoint does not hold the weights and the optimiser of this run; restore it from a copy, "
                    "or train into another folder"
                )
            ) from error

    def _backward(self, indices: NDArray[np.int64], step: int, place: int) -> Tensor:
        """Add the gradient of some images of the batch, the first of which is its `place`-th; returns their nats."""
        torch.manual_seed(step_seed(self._settings.seed, step, place))
        batch = self._images.batch(indices, draw=step, place=place).to(self._device)
        with torch.autocast(self._device.type, torch.bfloat16, enabled=self._bfloat16):
            log_probs, companion = self._objective(batch, self._images.condition_of(indices))
            nats = -log_probs.sum()
        loss = nats / (self._batch_size * self._dimensions)
        if companion is not None:
            loss = loss + companion * (len(batch) / self._batch_size)
        # The gradient is the mean over the processes, and what is wanted is the sum.
        (loss * self._processes.count).backward()
        part: Tensor = nats.detach()
        return part


@contextmanager
def memory_faults_told(settings: TrainingSettings, images: int, shape: tuple[int, int, int]) -> Iterator[None]:
    """Turn the system's refusal of memory into a sentence with the remedies.

    Args:
        settings: of the run.
        images: how many are computed at once.
        shape: `(C, H, W)` of each.

    Raises:
        TrainingError: there is too little memory for what is done inside.
    """
    try:
        yield
    except (torch.OutOfMemoryError, MemoryError, RuntimeError) as error:
        scarce = isinstance(error, torch.OutOfMemoryError | MemoryError)
        if not scarce and "can't allocate memory" not in str(error) and "not enough memory" not in str(error):
            raise
        raise TrainingError(
            f"there is too little memory for {images} images of {' x '.join(map(str, shape))} at once; lower "
            f"--batch-size (now {settings.batch_size}), raise --accumulate (now {settings.accumulate}), add "
            "--checkpoint-activations, or train on smaller pieces with --crop or --resize"
        ) from error

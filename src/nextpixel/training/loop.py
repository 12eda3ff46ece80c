"""The training loop.

The state of a run is the weights, their moving average, the optimiser, the number of steps done and the seconds spent.
What a step does is a function of that state and the settings (see `nextpixel.training.schedule`), so a run that goes on
from a checkpoint ends with the same bits as one that was never interrupted.
"""

from __future__ import annotations

import dataclasses
import math
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from nextpixel._version import __version__
from nextpixel.data import ImageSet
from nextpixel.errors import NextpixelError, ProcessError, TrainingError
from nextpixel.families.base import ImageModel
from nextpixel.families.set_condition import conditioned
from nextpixel.model_files.format import describe
from nextpixel.model_files.likelihood import Likelihood
from nextpixel.model_files.loading import load
from nextpixel.model_files.saving import save
from nextpixel.nn.conditions import Values
from nextpixel.rendering.grid import grid, save_picture
from nextpixel.runtime.distributed import current, everywhere
from nextpixel.runtime.hardware import hardware
from nextpixel.runtime.precision import full_float32, repeatable
from nextpixel.scoring.likelihood import evaluate, log_probs
from nextpixel.training.batch_size import with_batch_size
from nextpixel.training.objective import last_adds_up, make_objective
from nextpixel.training.optimization import make_average, make_optimizer
from nextpixel.training.precision import device_for, use_bfloat16
from nextpixel.training.reporter import Reporter, Status
from nextpixel.training.run_folder import RunFolder
from nextpixel.training.schedule import learning_rate, step_indices, step_seed
from nextpixel.training.settings import TrainingSettings
from nextpixel.training.tensorboard import Board

LOG_EVERY = 10
QUANTILES = 101
GRID_SECONDS, GRID_PART, GRID_PATIENCE = 60.0, 0.05, 2.0


class Interrupted(TrainingError):  # noqa: N818 - it is a request, not a fault
    """The run was asked to stop, and has written its checkpoint."""

    exit_code = 130


def train(
    model: ImageModel,
    images: ImageSet,
    valid: ImageSet,
    out: Path,
    settings: TrainingSettings,
    *,
    resume: bool = False,
    command: str | None = None,
    reporter: Reporter | None = None,
) -> Likelihood:
    """Train a model by maximum likelihood.

    Args:
        model: the model with its initial weights.
        images: the training images.
        valid: images to validate on.
        out: the run folder; see `nextpixel.training.run_folder`.
        settings: how.
        resume: go on from the folder's checkpoint, if it has one.
        command: the command that started the run, for the model card.
        reporter: hears of the progress.

    Returns:
        The likelihood of all validation images under the best weights, which are in `out`.

    Raises:
        TrainingError: the run cannot start, or its loss is no longer finite.
        ProcessError: another process of the run is gone.
        Interrupted: Ctrl-C or SIGTERM; the checkpoint is written.
    """
    folder, first = RunFolder(out), current().first
    with ExitStack() as stack:
        current().from_first(lambda: stack.enter_context(folder.held()))
        settings = with_batch_size(settings, model, images, out if resume else None)
        run = Run(model, images, valid, folder, settings, command, reporter if reporter and first else Reporter())
        run.begin(resume)
        with full_float32(), repeatable():
            run.go()
            return run.finish()


class Run:
    """A training run and its state."""

    def __init__(
        self,
        model: ImageModel,
        images: ImageSet,
        valid: ImageSet,
        folder: RunFolder,
        settings: TrainingSettings,
        command: str | None,
        reporter: Reporter,
    ) -> None:
        self.settings, self.folder = settings, folder
        own = model.condition if model.needs_condition else None
        self.images, self.valid = conditioned(images, own), conditioned(valid, own)
        model.check_set(self.images)
        model.check_set(self.valid)
        if self.images.condition is not None and model.record.begun is None:
            model.fit_condition(self.images.condition)
        self.reporter = reporter
        self.processes = current()
        self.device = device_for(settings)
        self.model = model.to(self.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        # A companion is clipped by itself, so that the model learns as it would alone.
        self.companions = [] if model.companion is None else list(model.companion.parameters())
        others = {id(parameter) for parameter in self.companions}
        self.own = [parameter for parameter in self.model.parameters() if id(parameter) not in others]
        self.average = make_average(self.model, settings.ema)
        self.optimizer = make_optimizer(self.model, settings)
        self.bfloat16 = use_bfloat16(settings, self.device)
        self.model.checkpoint_activations = settings.checkpoint_activations
        self.objective = make_objective(self.model, self.processes, compiled=settings.compile)
        self.batch_size = settings.images_a_step
        if self.batch_size < self.processes.count * settings.accumulate:
            error = TrainingError(
                f"a batch of {self.batch_size} images cannot be divided among {self.processes.count} processes in "
                f"{settings.accumulate} parts each; raise --batch-size, or lower --accumulate or the processes"
            )
            raise everywhere(error)
        self.total_steps = settings.total_steps(len(images))
        self.dimensions = math.prod(model.image_shape)
        self.nats_per_bit_per_dim = self.dimensions * math.log(2)
        self.step = 0
        self.seconds_before = self.agreed_seconds = self.saved = 0.0
        self.started = time.monotonic()
        self.best: float | None = None
        self.last_valid: float | None = None
        self.stop_requested = self.stopping = False
        self.model.record = replace(
            model.record,
            images=images.reading,
            data=f"{images.name}, {len(images):,} images ({images.fingerprint})",
            binarisation=_binarisation(images) if images.binarize else None,
            mutation=images.mutation or None,
            command=command,
            library=f"nextpixel {__version__}",
            hardware=hardware(settings.device),
        )

    @property
    def progress(self) -> float:
        """Part of the run that is done, 0 to 1: by steps, or by the clock."""
        if self.total_steps is not None:
            return self.step / self.total_steps
        return self.agreed_seconds / (60 * (self.settings.minutes or 1))

    @property
    def seconds(self) -> float:
        """Seconds that the run has taken, over all its resumptions."""
        return self.seconds_before + time.monotonic() - self.started

    def begin(self, resume: bool) -> None:
        """Start the folder, or go on from its checkpoint."""
        prints = (self.images.fingerprint, self.valid.fingerprint)
        if len(set(self.processes.all(prints))) > 1:
            raise TrainingError("the processes of this run see different images; give all of them the same data")
        description: dict[str, Any] = {
            "training": dataclasses.asdict(self.settings),
            "model": describe(self.model),
            "data": dict(zip(("training data", "validation data"), prints, strict=True)),
        }

        def prepare() -> tuple[dict[str, Any], str | None, bool] | None:
            if not (resume and self.folder.has_checkpoint):
                self.folder.start(description)
                return None
            state, damage = self.folder.read_checkpoint()
            self.folder.resume(description, state["step"])
            return state, damage, (self.folder.path / "model.safetensors").exists()

        found = self.processes.from_first(prepare)
        if found is None:
            return
        state, damage, has_best = found
        if damage is not None:
            self.reporter.note(damage)
        self.model.load_state_dict(state["model"])
        self.average.load_state_dict(state["average"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.step = state["step"]
        self.seconds_before = self.agreed_seconds = self.saved = state["seconds"]
        if has_best:
            self.best = state["best"]
        else:
            # Without the file of the best weights, these are the best that there are.
            self._save_averaged()
        self.reporter.note(f"resumed at step {self.step:,}")

    def go(self) -> None:
        """Take steps until the end.

        Raises:
            Interrupted: after writing a checkpoint.
            TrainingError: the loss is not finite.
            ProcessError: another process of the run is gone.
        """
        try:
            self._go()
        except ProcessError as error:
            raise ProcessError(
                f"another process of the run failed or was lost at step {self.step:,}; start them again with --resume, "
                "as many as you like: the run goes on from the last checkpoint"
            ) from error

    def _go(self) -> None:
        self.started = time.monotonic()
        self.board = Board(self.folder.path if self.processes.first else None, self.step)
        meter = _Meter()
        before = self.progress
        with self._signals():
            while before < 1:
                nats, norm = self._step(before)
                self.step += 1
                now = self.progress
                meter.add(self.batch_size, nats)
                if self.step % LOG_EVERY == 0 or now >= 1:
                    self._log_training(meter, norm)
                    self._report(meter, now)
                    meter.restart()
                with meter.paused():
                    if _passes(before, now, self.settings.validations):
                        self._validate()
                    if _passes(before, now, self.settings.grids):
                        self._draw_grid()
                before = now
                if self.stopping or now >= 1 or self._checkpoint_due():
                    self._checkpoint()
                if self.stopping and now < 1:
                    self.board.close()
                    raise everywhere(Interrupted(f"stopped at step {self.step:,}; the checkpoint is written"))
        self.board.close()

    def finish(self) -> Likelihood:
        """Evaluate the best weights on all validation images, and complete the model card."""
        self.reporter.note(f"evaluating the best weights on all {len(self.valid):,} validation images")
        best = self.processes.from_first(lambda: load(self.folder.path)).to(self.device)
        nats = -log_probs(best, self.valid)
        likelihood = Likelihood.of(nats, self.dimensions)
        best.record.trained = (
            f"{self.step:,} steps of {self.batch_size} images, "
            f"{self.step * self.batch_size / len(self.images):.1f} epochs, {self.seconds / 60:.1f} minutes"
            + (f", {self.processes.count} processes" if self.processes.count > 1 else "")
        )
        best.record.validation = f"{self.valid.name}: {likelihood}"
        best.record.likelihood = likelihood
        # So that others can tell where an image lies among those held out.
        best.record.quantiles = nats.quantile(torch.linspace(0, 1, QUANTILES, dtype=nats.dtype)).tolist()
        self.processes.from_first(lambda: save(best, self.folder.path))
        return likelihood

    def _step(self, progress: float) -> tuple[float, float]:
        """One step of the optimiser; returns the batch's mean nats an image, and the norm of the gradient."""
        rate = learning_rate(self.settings, self.step, progress)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        indices = step_indices(self.settings.seed, self.step, self.batch_size, len(self.images))
        self.model.train()
        self.optimizer.zero_grad()
        share = self.processes.share(self.batch_size)
        size = -(-(share.stop - share.start) // self.settings.accumulate)
        places = range(share.start, share.stop, size)
        total = torch.zeros(())
        for place in places:
            part = slice(place, min(place + size, share.stop))
            with self.processes.noticing_losses(), last_adds_up(self.objective, last=place == places[-1]):
                total += self._backward(indices[part], place).cpu()
        norm = float(torch.nn.utils.clip_grad_norm_(self.own, self.settings.clip))
        torch.nn.utils.clip_grad_norm_(self.companions, self.settings.clip)
        value = self._agree(float(total) / self.batch_size)
        if not (math.isfinite(value) and math.isfinite(norm)):
            error = TrainingError(
                f"the loss at step {self.step:,} is {value} and its gradient {norm}; the last good checkpoint is kept: "
                f"start again with a smaller learning rate than {self.settings.learning_rate:g}, a longer warm-up, or "
                "--precision float32"
            )
            raise everywhere(error)
        self.optimizer.step()
        self.average.update_parameters(self.model)
        return value, norm

    def _backward(self, indices: NDArray[np.int64], place: int) -> Tensor:
        """Add the gradient of some images of the batch, the first of which is its `place`-th; returns their nats."""
        torch.manual_seed(step_seed(self.settings.seed, self.step, place))
        batch = self.images.batch(indices, draw=self.step).to(self.device)
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.bfloat16):
            log_probs, companion = self.objective(batch, self.images.condition_of(indices))
            nats = -log_probs.sum()
        loss = nats / (self.batch_size * self.dimensions)
        if companion is not None:
            loss = loss + companion * (len(batch) / self.batch_size)
        # The gradient is the mean over the processes, and what is wanted is the sum.
        (loss * self.processes.count).backward()
        part: Tensor = nats.detach()
        return part

    def _agree(self, nats: float) -> float:
        """Let all processes know the sum of their nats, whether one is to stop, and the clock of the first."""
        seconds = self.seconds if self.processes.first else 0.0
        mine = torch.tensor([nats, self.stop_requested, seconds], dtype=torch.float64)
        total, stops, self.agreed_seconds = self.processes.sum(mine).tolist()
        self.stopping = stops > 0
        return float(total)

    def _validate(self) -> None:
        subset = self.valid.subset(range(min(len(self.valid), self.settings.valid_images)))
        likelihood = evaluate(self._averaged, subset)
        self.last_valid = likelihood.bits_per_dim
        self._log(
            {
                "valid_nats": likelihood.nats,
                "valid_nats_standard_error": likelihood.nats_standard_error,
                "valid_bits_per_dim": likelihood.bits_per_dim,
                "valid_images": likelihood.images,
            }
        )
        self.reporter.note(f"step {self.step:,}: validation {likelihood}")
        if self.best is None or likelihood.nats < self.best:
            self.best = likelihood.nats
            self._save_averaged()

    def _save_averaged(self) -> None:
        self._averaged.record = self.model.record
        self.processes.from_first(lambda: save(self._averaged, self.folder.path))

    def _log(self, figures: dict[str, Any]) -> None:
        figures = {"step": self.step, "seconds": round(self.seconds, 1), **figures}
        if self.processes.first:
            self.folder.log(figures)
        self.board.log(figures)

    @property
    def _averaged(self) -> ImageModel:
        averaged = self.average.module
        assert isinstance(averaged, ImageModel)
        return averaged

    @property
    def _grid_condition(self) -> Values | None:
        """Conditions of a sample grid: those of the first validation images."""
        first = torch.arange(self.settings.grid_images) % len(self.valid)
        images = self._averaged._checked(self.valid.batch(first))
        return self._averaged._given(images, self.valid.condition_of(first)) or None

    def _draw_grid(self) -> None:
        """Sample a grid, unless that would take a good part of the run."""
        start, done, total = time.monotonic(), 0, self.settings.grid_images * self.dimensions
        allowed = max(GRID_SECONDS, GRID_PART * self.seconds)

        def advance(count: int) -> None:
            nonlocal done
            done += count
            taken = time.monotonic() - start
            if taken > GRID_PATIENCE and taken * total > allowed * done:
                raise _TooSlowError(taken * total / done)

        generator = torch.Generator().manual_seed(self.settings.seed)
        try:
            with torch.no_grad():
                condition = self._grid_condition
            samples = self._averaged.sample(self.settings.grid_images, condition, generator=generator, advance=advance)
        except _TooSlowError as error:
            self.reporter.note(
                f"step {self.step:,}: no sample grid, as it would take some {error.seconds / 60:.0f} minutes; "
                f"for one: nextpixel sample {self.folder.path} --out grid.png"
            )
            return
        save_picture(grid(samples, self.model.levels), self.folder.grid(self.step))

    def _log_training(self, meter: _Meter, norm: float) -> None:
        self._log(
            {
                "train_nats": meter.nats,
                "train_bits_per_dim": meter.nats / self.nats_per_bit_per_dim,
                "gradient_norm": norm,
                "learning_rate": self.optimizer.param_groups[0]["lr"],
                "images_per_second": round(meter.images_per_second, 1),
            }
        )

    def _report(self, meter: _Meter, progress: float) -> None:
        done = max(progress, 1e-9)
        self.reporter.status(
            Status(
                self.step,
                min(1.0, progress),
                meter.nats / self.nats_per_bit_per_dim,
                meter.images_per_second,
                self.seconds * (1 - min(1.0, progress)) / done,
                self.last_valid,
            )
        )

    def _checkpoint_due(self) -> bool:
        return self.agreed_seconds - self.saved >= 60 * self.settings.checkpoint_minutes

    def _checkpoint(self) -> None:
        state = {
            "model": self.model.state_dict(),
            "average": self.average.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "step": self.step,
            "seconds": self.seconds,
            "best": self.best,
        }
        self.processes.from_first(lambda: self.folder.write_checkpoint(state))
        self.saved = self.agreed_seconds

    @contextmanager
    def _signals(self) -> Iterator[None]:
        """Turn SIGINT and SIGTERM into a request to stop after the step; a second one acts as usual."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

        def request(_number: int, _frame: FrameType | None) -> None:
            self.stop_requested = True
            if self.processes.count > 1:
                # torchrun sends a signal of its own after that of the terminal.
                self.reporter.note("stopping after this step, to write the checkpoint")
                return
            self.reporter.note("stopping after this step, to write the checkpoint; once more stops at once, without it")
            for each, handler in before.items():
                signal.signal(each, handler)

        for number in before:
            signal.signal(number, request)
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


class _TooSlowError(NextpixelError):
    """A sample grid that would take longer than it may."""

    def __init__(self, seconds: float) -> None:
        super().__init__(seconds)
        self.seconds = seconds


class _Meter:
    """Mean loss and speed of the steps since the last restart."""

    def __init__(self) -> None:
        self.restart()

    def restart(self) -> None:
        self.images = 0
        self.total = 0.0
        self.start = time.monotonic()

    def add(self, images: int, nats: float) -> None:
        self.images += images
        self.total += nats * images

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Leave out the time that is spent inside."""
        before = time.monotonic()
        yield
        self.start += time.monotonic() - before

    @property
    def nats(self) -> float:
        return self.total / self.images

    @property
    def images_per_second(self) -> float:
        return self.images / max(time.monotonic() - self.start, 1e-9)


def _passes(before: float, now: float, times: int) -> bool:
    """Whether progress has passed one of `times` evenly spread marks, of which the last is the end."""
    return math.floor(min(1.0, now) * times) > math.floor(before * times)


def _binarisation(images: ImageSet) -> str:
    if images.dynamic:
        return "dynamic: redrawn at every use, a different task from fixed binarisation; do not compare the two"
    return f"{images.binarize}, fixed"

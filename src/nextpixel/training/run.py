"""A training run: steps until the end, with validations, sample grids and checkpoints in between.

The state of a run is the weights, their moving average, the optimiser, the number of steps done and the seconds spent.
What a step does is a function of that state and the settings (see `nextpixel.training.schedule`), so a run that goes on
from a checkpoint ends with the same bits as one that was never interrupted.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import replace

import torch

from nextpixel._version import __version__
from nextpixel.data import ImageSet
from nextpixel.data.pictures import Pictures
from nextpixel.errors import ProcessError, TrainingError
from nextpixel.families.base import ImageModel
from nextpixel.model_files.format import describe
from nextpixel.model_files.likelihood import Likelihood
from nextpixel.model_files.loading import load
from nextpixel.model_files.saving import save
from nextpixel.runtime.counted import counted
from nextpixel.runtime.distributed import current, everywhere
from nextpixel.runtime.hardware import hardware
from nextpixel.runtime.progress import Progress, Status
from nextpixel.training.checkpoint import State
from nextpixel.training.few_steps import few_steps
from nextpixel.training.grids import SampleGrids
from nextpixel.training.images import TrainingImages
from nextpixel.training.meter import Meter, Pace
from nextpixel.training.run_folder import RunFolder
from nextpixel.training.schedule import learning_rate
from nextpixel.training.settings import TrainingSettings
from nextpixel.training.signals import Interrupted, StopRequest
from nextpixel.training.steps import Steps
from nextpixel.training.tensorboard import Board
from nextpixel.training.validation import Validation, nothing_learned

LOG_EVERY = 10
MOST_RESERVE = 0.5
"""The largest part of the minutes of a run that is kept back for its last evaluation."""

FORWARD_PART = 1 / 3
"""About the part of a step that a pass without gradients takes."""


class Run:
    """A training run and its state.

    Args:
        model: the model with its initial weights, and a record that says how it begins.
        images: the training images.
        valid: the validation images.
        folder: where the run is kept.
        settings: how to train; the batch size is a number.
        progress: hears of the progress.
    """

    def __init__(
        self,
        model: ImageModel,
        images: TrainingImages,
        valid: ImageSet | Pictures,
        folder: RunFolder,
        settings: TrainingSettings,
        progress: Progress,
    ) -> None:
        self.settings, self.folder, self.images, self.progress_shown = settings, folder, images, progress
        self.processes = current()
        self.steps = Steps(model, images, settings, self.processes)
        self.model = self.steps.model
        self.validation = Validation(valid, settings.valid_images)
        self.grids = SampleGrids(folder, settings, valid)
        self.stop_request = StopRequest(progress.note, insist=self.processes.count > 1)
        self.batch_size = settings.images_a_step
        self.total_steps = settings.total_steps(len(images))
        self.nats_per_bit_per_dim = math.prod(images.image_shape) * math.log(2)
        self.step = 0
        self.seconds_before = self.agreed_seconds = self.saved = 0.0
        self.pace = Pace()
        self.agreed_pace = 0.0
        self.clock_progress = 0.0
        self.started = time.monotonic()
        self.stopping = False
        self.model.record = replace(
            model.record,
            images=images.reading,
            data=f"{images.name}, {len(images):,} images ({images.fingerprint})",
            library=f"nextpixel {__version__}",
            hardware=hardware(settings.device),
        )

    @property
    def progress(self) -> float:
        """Part of the run that is done, 0 to 1: by steps, or by the clock."""
        return self.clock_progress if self.total_steps is None else self.step / self.total_steps

    @property
    def part_of_steps(self) -> float | None:
        """Part of the steps of a run by the clock that is done, by the pace of its last ones; None by steps."""
        if self.settings.minutes is None:
            return None
        return self.step * self.agreed_pace / (60 * self.settings.minutes)

    @property
    def seconds(self) -> float:
        """Seconds that the run has taken, over all its resumptions."""
        return self.seconds_before + time.monotonic() - self.started

    def begin(self, resume: bool) -> None:
        """Start the folder, or go on from its checkpoint."""
        prints = (self.images.fingerprint, self.validation.images.fingerprint)
        if len(set(self.processes.all(prints))) > 1:
            raise TrainingError("the processes of this run see different images; give all of them the same data")
        description: Mapping[str, Mapping[str, object]] = {
            "training": self.settings.to_json(),
            "model": describe(self.model),
            "data": dict(zip(("training data", "validation data"), prints, strict=True)),
        }

        def prepare() -> tuple[State, str | None, bool] | None:
            if not (resume and self.folder.has_checkpoint):
                self.folder.start(description)
                return None
            state, damage = self.folder.read_checkpoint()
            self.folder.resume(description, state["step"])
            return state, damage, (self.folder.path / "model.safetensors").exists()

        checkpoint = self.processes.from_first(prepare)
        if checkpoint is None:
            if (warning := few_steps(self.settings, len(self.images))) is not None:
                self.progress_shown.note(warning)
            return
        state, damage, has_best = checkpoint
        if damage is not None:
            self.progress_shown.note(damage)
        self.steps.restore(state)
        self.step = state["step"]
        self.seconds_before = self.agreed_seconds = self.saved = state["seconds"]
        self.clock_progress = self.seconds_before / (60 * (self.settings.minutes or 1))
        if has_best:
            self.validation.best = state["best"]
        else:
            # Without the file of the best weights, these are the best that there are.
            self._save_averaged()
        self.progress_shown.note(f"resumed at step {self.step:,}")

    def go(self) -> None:
        """Take steps until the end.

        Raises:
            Interrupted: after writing a checkpoint.
            TrainingError: the loss is not finite.
            ProcessError: another process of the run is gone.
        """
        try:
            with self.progress_shown.training() as show:
                self._go(show)
        except ProcessError as error:
            raise ProcessError(
                f"another process of the run failed or was lost at step {self.step:,}; start them again with --resume, "
                "as many as you like: the run goes on from the last checkpoint"
            ) from error

    def _go(self, show: Callable[[Status], None]) -> None:
        self.started = time.monotonic()
        self.board = Board(self.folder.path if self.processes.first else None, self.step, self.progress_shown.note)
        meter = Meter()
        before = self.progress
        with self.stop_request.listening():
            while before < 1:
                start = time.monotonic()
                nats, norm = self._step(before)
                self.step += 1
                self.pace.add(time.monotonic() - start)
                now = self.progress
                meter.add(self.batch_size, nats)
                if self.step % LOG_EVERY == 0 or now >= 1:
                    self._log_training(meter, norm)
                    show(self._status(meter, now))
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
        count = len(self.validation.images)
        self.progress_shown.note(
            f"evaluating the best weights on {'all ' if count > 1 else ''}{counted(count, 'validation image')}"
        )
        best = self.processes.from_first(lambda: load(self.folder.path)).to(self.model.device)
        with self.progress_shown.task("evaluating", count) as advance:
            likelihood = self.validation.conclude(best, advance)
        best.record.trained = (
            f"{counted(self.step, 'step')} of {self.batch_size} images, "
            f"{self.step * self.batch_size / len(self.images):.1f} epochs, {self.seconds / 60:.1f} minutes"
            + (f", {self.processes.count} processes" if self.processes.count > 1 else "")
        )
        self.processes.from_first(lambda: save(best, self.folder.path))
        if (warning := nothing_learned(likelihood, self.images.levels, steps=self.step)) is not None:
            self.progress_shown.note(warning)
        return likelihood

    def _step(self, progress: float) -> tuple[float, float]:
        """One step of the optimiser; returns the batch's mean nats per image, and the norm of the gradient."""
        total, norm = self.steps.gradient(self.step)
        nats = self._agree(total / self.batch_size)
        if not (math.isfinite(nats) and math.isfinite(norm)):
            kept = "the last good checkpoint is kept" if self.folder.has_checkpoint else "there is no checkpoint yet"
            error = TrainingError(
                f"the loss at step {self.step:,} is {nats} and its gradient {norm}; {kept}: start again with a smaller "
                f"learning rate than {self.settings.learning_rate:g}, a longer warm-up, or --precision float32"
            )
            raise everywhere(error)
        self.steps.update(learning_rate(self.settings, self.step, progress, self.part_of_steps))
        return nats, norm

    def _agree(self, nats: float) -> float:
        """Let all processes know the sum of their nats, whether one is to stop, and the clock of the first."""
        first = self.processes.first
        clock = [self.seconds, self._reserve(), self.pace.seconds] if first else [0.0, 0.0, 0.0]
        mine = torch.tensor([nats, self.stop_request.made, *clock], dtype=torch.float64)
        total, stops, self.agreed_seconds, reserve, self.agreed_pace = self.processes.sum(mine).tolist()
        if self.settings.minutes is not None:
            allowed = 60 * self.settings.minutes
            done = self.agreed_seconds / (allowed - min(reserve, MOST_RESERVE * allowed))
            # The reserve is an estimate, and the schedule does not go back where it shrinks.
            self.clock_progress = max(self.clock_progress, done)
        self.stopping = stops > 0
        return float(total)

    def _reserve(self) -> float:
        """Estimate the seconds from the last step to the end of the run: its evaluations and its last grid."""
        per_image = FORWARD_PART * self.pace.seconds / self.batch_size
        return self.validation.seconds_at_the_end(per_image) + self.grids.seconds

    def _validate(self) -> None:
        best = self.validation.validate(self.steps.averaged)
        likelihood = self.validation.last
        assert likelihood is not None
        self._log(
            {
                "valid_nats": likelihood.nats,
                "valid_nats_standard_error": likelihood.nats_standard_error,
                "valid_bits_per_dim": likelihood.bits_per_dim,
                "valid_images": likelihood.images,
            }
        )
        self.progress_shown.note(f"step {self.step:,}: validation {likelihood}")
        if best:
            self._save_averaged()

    def _save_averaged(self) -> None:
        averaged = self.steps.averaged
        averaged.record = self.model.record
        self.processes.from_first(lambda: save(averaged, self.folder.path))

    def _draw_grid(self) -> None:
        fault = self.grids.draw(self.steps.averaged, self.step, self.seconds)
        if fault is not None:
            self.progress_shown.note(fault)

    def _log(self, figures: dict[str, object]) -> None:
        figures = {"step": self.step, "seconds": round(self.seconds, 1), **figures}
        if self.processes.first:
            self.folder.log(figures)
        self.board.log(figures)

    def _log_training(self, meter: Meter, norm: float) -> None:
        self._log(
            {
                "train_nats": meter.nats,
                "train_bits_per_dim": meter.nats / self.nats_per_bit_per_dim,
                "gradient_norm": norm,
                "learning_rate": self.steps.learning_rate,
                "images_per_second": round(meter.images_per_second, 1),
            }
        )

    def _status(self, meter: Meter, progress: float) -> Status:
        done = min(1.0, max(progress, 1e-9))
        return Status(
            self.step,
            min(1.0, progress),
            meter.nats / self.nats_per_bit_per_dim,
            meter.images_per_second,
            self.seconds * (1 - done) / done,
            None if self.validation.last is None else self.validation.last.bits_per_dim,
        )

    def _checkpoint_due(self) -> bool:
        return self.agreed_seconds - self.saved >= 60 * self.settings.checkpoint_minutes

    def _checkpoint(self) -> None:
        state: State = {
            **self.steps.state(),
            "step": self.step,
            "seconds": self.seconds,
            "best": self.validation.best,
        }
        self.processes.from_first(lambda: self.folder.write_checkpoint(state))
        self.saved = self.agreed_seconds


def _passes(before: float, now: float, times: int) -> bool:
    """Whether progress has passed one of `times` evenly spread marks, of which the last is the end."""
    return math.floor(min(1.0, now) * times) > math.floor(before * times)

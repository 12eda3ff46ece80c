"""The folder of a training run.

config.json, model.safetensors, README.md   the best weights so far: the run folder is a model folder
train.json                                  settings, model and data of the run, which a resumed run must match
checkpoint.pt, checkpoint-previous.pt       what the next step depends on, now and at the checkpoint before
lock, lock-holder                           held by the process that trains, and which one that is
metrics.jsonl                               one JSON object a line: training and validation figures by step
samples/step-00001000.png                   sample grids
"""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from nextpixel.errors import TrainingError
from nextpixel.runtime.atomic_files import make_folder, remove_leftovers, write_atomically
from nextpixel.runtime.strict_json import as_json
from nextpixel.training.checkpoint import State, read_checkpoint, write_checkpoint

# The length of a run may be changed when it is resumed, and where and how fast it computes is not part of what it is.
MAY_CHANGE = {
    "steps",
    "epochs",
    "minutes",
    "device",
    "compile",
    "checkpoint_minutes",
    "grid_images",
    "accumulate",
    "checkpoint_activations",
}


class RunFolder:
    """Paths and small files of a run."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.checkpoint = path / "checkpoint.pt"
        self.previous = path / "checkpoint-previous.pt"
        self.lock = path / "lock"
        self.holder = path / "lock-holder"
        self.metrics = path / "metrics.jsonl"
        self.settings = path / "train.json"

    def grid(self, step: int) -> Path:
        """Where the sample grid of a step goes."""
        return self.path / "samples" / f"step-{step:08d}.png"

    @contextmanager
    def held(self) -> Iterator[None]:
        """Inside, no other process can train in this folder. The system lets go of it when the process ends.

        Raises:
            TrainingError: another one does, the folder holds files that are not a run's, or it cannot be written.
        """
        existed = self.path.exists()
        lock = FileLock(self.lock, timeout=0)
        try:
            # A run that was killed before its first checkpoint starts again; anything else there is somebody's.
            if self._files() - self._traces and not self.settings.exists():
                raise TrainingError(f"{self.path} holds files that are not a run's; choose an empty or a new folder")
            make_folder(self.path)
            lock.acquire()
        except Timeout as error:
            raise TrainingError(
                f"{self.path} is being trained in by {self._holder()}; wait until it ends, stop it, or choose another "
                "folder"
            ) from error
        except OSError as error:
            raise TrainingError(f"{self.path} cannot be written ({error.strerror}); choose another folder") from error
        try:
            try:
                self.holder.write_text(f"process {os.getpid()} on {socket.gethostname()}", encoding="utf-8")
            except OSError as error:
                raise TrainingError(f"{self.holder} cannot be written ({error.strerror}); make room") from error
            yield
        except BaseException:
            with suppress(OSError):
                self._leave_nothing(existed)
            raise
        finally:
            lock.release()

    @property
    def _traces(self) -> set[str]:
        """The files by which a run holds its folder."""
        return {self.lock.name, self.holder.name}

    def _files(self) -> set[str]:
        return {path.name for path in self.path.iterdir()} if self.path.exists() else set()

    def _leave_nothing(self, existed: bool) -> None:
        """Remove what a run that was refused leaves behind, which is the lock and the folder."""
        if self._files() <= self._traces:
            self.holder.unlink(missing_ok=True)
            self.lock.unlink(missing_ok=True)
            if not existed:
                self.path.rmdir()

    def _holder(self) -> str:
        """Who trains in the folder."""
        try:
            return self.holder.read_text(encoding="utf-8", errors="replace")[:200] or "another process"
        except OSError:
            return "another process"

    def start(self, description: Mapping[str, Mapping[str, object]]) -> None:
        """Begin a run that was not there before.

        Raises:
            TrainingError: the folder holds a run already, or cannot be written.
        """
        if self.has_checkpoint:
            raise TrainingError(f"{self.path} holds a training run; add --resume to go on, or choose another folder")
        try:
            self._remove_leftovers()
            make_folder(self.path / "samples")
            self._write_settings(description)
            write_atomically(self.metrics, b"")
        except OSError as error:
            raise TrainingError(f"{self.path} cannot be written ({error.strerror}); choose another folder") from error

    @property
    def has_checkpoint(self) -> bool:
        """Whether there is a run to go on with."""
        return self.checkpoint.exists() or self.previous.exists()

    def read_checkpoint(self) -> tuple[State, str | None]:
        """The state to go on from: that of the last checkpoint, or, if this is damaged, of the one before.

        Returns:
            The state, and why it is not the last one, or None.

        Raises:
            TrainingError: there is none that can be read.
        """
        try:
            return read_checkpoint(self.checkpoint), None
        except TrainingError as error:
            if not self.previous.exists():
                raise
            state = read_checkpoint(self.previous)
            if self.checkpoint.exists():
                # Else it would take the place of the good one when the next is written.
                self.checkpoint.replace(self.checkpoint.with_name("checkpoint-damaged.pt"))
            return state, f"{error}; going on from {self.previous.name}, of step {state['step']:,}, instead"

    def write_checkpoint(self, state: State) -> None:
        """Write the state of the run, and keep the one before; the figures until now go to the disk too.

        Raises:
            TrainingError: it cannot be written; the last one is then still there.
        """
        if self.metrics.exists():
            try:
                with self.metrics.open("rb+") as file:
                    os.fsync(file.fileno())
            except OSError as error:
                raise TrainingError(f"{self.metrics} cannot be written ({error.strerror}); make room") from error
        write_checkpoint(self.checkpoint, self.previous, state)

    def resume(self, description: Mapping[str, Mapping[str, object]], step: int) -> None:
        """Check that a run is the one described, but for what may change, and forget the figures of steps after `step`.

        Raises:
            TrainingError: the run was started with other settings, another model or other data.
        """
        try:
            stored = json.loads(self.settings.read_text(encoding="utf-8"))
            if not isinstance(stored, dict) or not all(isinstance(part, dict) for part in stored.values()):
                raise ValueError("it does not hold the settings of a run")
        except (OSError, ValueError, RecursionError) as error:
            raise TrainingError(
                f"{self.settings} cannot be read ({error}); restore it from a copy, or train into another folder"
            ) from error
        for part, now in description.items():
            then = stored.get(part, {})
            for name in sorted(set(now) | set(then)):
                if now.get(name) != then.get(name) and name not in MAY_CHANGE:
                    raise TrainingError(
                        f"{self.path} was started with {name} {then.get(name)}, not {now.get(name)}; "
                        "resume with the same, or choose another folder"
                    )
        lines = [as_json(line) + "\n" for line in read_metrics(self.metrics) if line["step"] <= step]
        try:
            self._remove_leftovers()
            self._write_settings(description)
            write_atomically(self.metrics, "".join(lines).encode())
        except OSError as error:
            raise TrainingError(f"{self.path} cannot be written ({error.strerror}); make it writable") from error

    def _write_settings(self, description: Mapping[str, Mapping[str, object]]) -> None:
        write_atomically(self.settings, (json.dumps(description, indent=2) + "\n").encode())

    def _remove_leftovers(self) -> None:
        """Delete the parts of files that a killed process was writing."""
        # Whoever holds the folder is alone there.
        for folder in (self.path, self.path / "samples"):
            remove_leftovers(folder, alone=True)

    def log(self, figures: dict[str, object]) -> None:
        """Append a line to the metrics.

        Raises:
            TrainingError: the file cannot be written.
        """
        try:
            with self.metrics.open("a", encoding="utf-8") as file:
                file.write(as_json(figures) + "\n")
        except OSError as error:
            raise TrainingError(f"{self.metrics} cannot be written ({error.strerror})") from error


def read_settings(path: Path) -> dict[str, Any]:
    """The training settings of a run, by name; none where the folder is a model's and not a run's.

    Raises:
        TrainingError: they cannot be read.
    """
    file = RunFolder(path).settings
    if not file.exists():
        return {}
    try:
        settings = json.loads(file.read_text(encoding="utf-8"))["training"]
        return dict(settings)
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise TrainingError(f"{file} cannot be read ({error}); restore it from a copy") from error


def read_metrics(path: Path) -> Iterator[dict[str, Any]]:
    """The figures of a run, line by line; a last line cut short by a crash, and all after damage, is left out."""
    if not path.exists():
        return
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        try:
            figures = json.loads(line)
        except (ValueError, RecursionError):
            return
        if not isinstance(figures, dict) or not isinstance(figures.get("step"), int):
            return
        yield figures

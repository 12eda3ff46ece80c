"""The figures of a run for TensorBoard, where it is installed (`pip install 'nextpixel[tensorboard]'`)."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any


class Board:
    """Writes figures to `RUN/tensorboard`; does nothing where TensorBoard is not installed.

    Args:
        run: the run folder; None writes nothing.
        step: the step from which the run goes on; what stood at later steps is hidden.
    """

    def __init__(self, run: Path | None, step: int) -> None:
        self.writer: Any = None
        if run is not None and find_spec("tensorboard") is not None:
            from torch.utils.tensorboard import SummaryWriter

            self.writer = SummaryWriter(run / "tensorboard", purge_step=step + 1)

    def log(self, figures: dict[str, Any]) -> None:
        """Add a line of the metrics."""
        if self.writer is None:
            return
        for name, value in figures.items():
            if name not in ("step", "seconds"):
                self.writer.add_scalar(name, value, figures["step"])

    def close(self) -> None:
        """Write what is buffered."""
        if self.writer is not None:
            self.writer.close()

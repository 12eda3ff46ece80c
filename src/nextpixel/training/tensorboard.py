"""The figures of a run for TensorBoard, where it is installed (`pip install 'nextpixel[tensorboard]'`)."""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter


class Board:
    """Writes figures to `RUN/tensorboard`; does nothing where TensorBoard is not installed or cannot be used.

    Args:
        run: the run folder; None writes nothing.
        step: the step from which the run goes on; what stood at later steps is hidden.
        note: takes what the user is told where an installed TensorBoard cannot be used.
    """

    def __init__(self, run: Path | None, step: int, note: Callable[[str], None]) -> None:
        self._writer: SummaryWriter | None = None
        if run is None or not _installed():
            return
        try:
            from torch.utils.tensorboard import SummaryWriter

            self._writer = SummaryWriter(run / "tensorboard", purge_step=step + 1)
        except Exception as error:
            # An extra of somebody else, broken in whatever way, is no reason not to train.
            reason = (str(error).splitlines() or [type(error).__name__])[0]
            note(f"TensorBoard cannot be used here ({reason}); the figures are in {run / 'metrics.jsonl'} all the same")

    def log(self, figures: dict[str, object]) -> None:
        """Add a line of the metrics."""
        if self._writer is None:
            return
        for name, value in figures.items():
            if name not in ("step", "seconds"):
                self._writer.add_scalar(name, value, figures["step"])

    def close(self) -> None:
        """Write what is buffered."""
        if self._writer is not None:
            self._writer.close()


def _installed() -> bool:
    """Whether there is a package of this name, and not just any folder where the command was started."""
    try:
        spec = find_spec("tensorboard")
    except (ImportError, ValueError):
        return False
    return spec is not None and spec.origin is not None

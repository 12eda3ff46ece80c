"""The checkpoint of a run: one file with everything that the next step depends on, replaced atomically.

The one before is kept beside it, in case a disk damages the last.

The file is a line with a SHA-256, and then what `torch.save` writes. Torch itself loads damaged weights without
complaint; the digest makes sure that a run goes on from exactly what it wrote.
"""

from __future__ import annotations

import hashlib
import io
import math
import warnings
from pathlib import Path
from typing import TypedDict, cast

import torch

from nextpixel.errors import TrainingError
from nextpixel.runtime.atomic_files import hidden_name, write_atomically


class Weights(TypedDict):
    """What moves in every step.

    Attributes:
        model: the state of the model by name.
        average: the state of the moving average of its weights.
        optimizer: the state of the optimiser.
    """

    model: dict[str, object]
    average: dict[str, object]
    optimizer: dict[str, object]


class State(Weights):
    """All that the next step depends on.

    Attributes:
        step: steps done, from 0.
        seconds: seconds that the run has taken, from 0.
        best: the least nats per image in a validation; None before the first.
    """

    step: int
    seconds: float
    best: float | None


MAGIC = b"nextpixel-checkpoint-1 "


def write_checkpoint(path: Path, previous: Path, state: State) -> None:
    """Write a checkpoint; at any moment the file is the old or the new one.

    Args:
        path: where.
        previous: where the old one is kept.
        state: what is written.

    Raises:
        TrainingError: it cannot be written; the old one is then still there.
    """
    buffer = io.BytesIO()
    torch.save(state, buffer)
    data = buffer.getvalue()
    try:
        if path.exists():
            _keep(path, previous)
        write_atomically(path, MAGIC + hashlib.sha256(data).hexdigest().encode() + b"\n" + data)
    except OSError as error:
        kept = "the last checkpoint is kept" if path.exists() or previous.exists() else "there is no checkpoint yet"
        raise TrainingError(f"{path} cannot be written ({error.strerror}); {kept}") from error


def _keep(path: Path, previous: Path) -> None:
    """Give the file a second name, under which it stays when it is replaced."""
    with hidden_name(previous) as temporary:
        try:
            temporary.hardlink_to(path)
        except OSError:
            # Some file systems know no hard links; there the file itself is moved, and for a moment only the old name
            # is there.
            path.replace(previous)
        else:
            temporary.replace(previous)


def read_checkpoint(path: Path) -> State:
    """Read a checkpoint, onto the CPU.

    Raises:
        TrainingError: the file cannot be read, is damaged or is not a checkpoint.
    """
    try:
        header, _, data = path.read_bytes().partition(b"\n")
    except OSError as error:
        raise TrainingError(f"{path} cannot be read ({error.strerror}); make it readable") from error
    if header != MAGIC + hashlib.sha256(data).hexdigest().encode():
        raise TrainingError(f"{path} is damaged or no checkpoint: train into another folder, or restore it from a copy")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return _checked(torch.load(io.BytesIO(data), map_location="cpu", weights_only=True))
    except Exception as error:
        # Whatever the file makes of PyTorch's reader; its advice to load the file unsafely helps nobody.
        raise TrainingError(
            f"{path} does not hold the state of a run: train into another folder, or restore it from a copy"
        ) from error


def _checked(state: object) -> State:
    """Return the state of a run if it is one, each entry of its type and in its range.

    Raises:
        ValueError: it is not.
    """
    if not isinstance(state, dict) or set(state) != set(State.__annotations__):
        raise ValueError("other entries than those of a run")
    step, seconds, best = state["step"], state["seconds"], state["best"]
    if type(step) is not int or not 0 <= step < 2**63:
        raise ValueError("the step is no whole number from 0")
    if type(seconds) not in (int, float) or not 0 <= seconds < math.inf:
        raise ValueError("the seconds are no number from 0")
    if best is not None and type(best) is not float:
        raise ValueError("the best likelihood is no number")
    for name in Weights.__annotations__:
        if not isinstance(state[name], dict) or not all(isinstance(key, str) for key in state[name]):
            raise ValueError(f"the state of the {name} is no table")
    return cast(State, state)

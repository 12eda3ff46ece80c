"""The checkpoint of a run: one file with everything that the next step depends on, replaced atomically.

The one before is kept beside it, in case a disk damages the last.

The file is a line with a SHA-256, and then what `torch.save` writes. Torch itself loads damaged weights without
complaint; the digest makes sure that a run goes on from exactly what it wrote.
"""

from __future__ import annotations

import hashlib
import io
from pathlib import Path
from typing import Any

import torch

from nextpixel.errors import TrainingError
from nextpixel.runtime.atomic_files import hidden_name, write_atomically

MAGIC = b"nextpixel-checkpoint-1 "


def write_checkpoint(path: Path, previous: Path, state: dict[str, Any]) -> None:
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
        raise TrainingError(f"{path} cannot be written ({error.strerror}); the last checkpoint is kept") from error


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


def read_checkpoint(path: Path) -> dict[str, Any]:
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
    state: dict[str, Any] = torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
    return state

"""Writing model folders; see `nextpixel.model_files.format`."""

from __future__ import annotations

import json
from pathlib import Path

from safetensors.torch import save as save_tensors

from nextpixel._version import __version__
from nextpixel.errors import ModelError
from nextpixel.model_files.card import CURVE, SAMPLES, model_card
from nextpixel.model_files.format import FORMAT, STORAGES, WritableModel, describe, fingerprint, storage_name
from nextpixel.runtime.atomic_files import make_folder, write_atomically


def save(model: WritableModel, folder: Path, *, storage: str | None = None) -> None:
    """Write a model folder; each file appears whole or not at all.

    Args:
        model: the model, which is not changed.
        folder: where to write.
        storage: the type in which the weights are stored, one of `STORAGES`; None for the model's own.

    Raises:
        ModelError: the folder cannot be written.
    """
    description = describe(model)
    dtype = next(model.parameters()).dtype if storage is None else STORAGES[storage]
    tensors = {name: tensor.detach().to("cpu", dtype).contiguous() for name, tensor in model.state_dict().items()}
    config = {
        "format": FORMAT,
        "library": __version__,
        "storage": storage_name(dtype),
        "model": description,
        "record": model.record.to_json(),
    }
    # One entry only: safetensors writes several in an order that changes, and equal models should be equal files.
    metadata = {"sha256": fingerprint(description, tensors)}
    try:
        make_folder(folder)
        write_atomically(folder / "model.safetensors", save_tensors(tensors, metadata))
        write_atomically(folder / "config.json", (json.dumps(config, indent=2) + "\n").encode())
        pictures = [name for name in (SAMPLES, CURVE) if (folder / name).is_file()]
        card = model_card(model, pictures=pictures)
        write_atomically(folder / "README.md", card.encode(errors="backslashreplace"))
    except OSError as error:
        raise ModelError(f"{folder} cannot be written ({error.strerror}); choose another folder") from error

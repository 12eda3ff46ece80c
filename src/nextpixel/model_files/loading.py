"""Reading model folders, with whatever may be wrong with them; see `nextpixel.model_files.format`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load as load_tensors

from nextpixel.errors import ModelError
from nextpixel.families.base import ImageModel
from nextpixel.families.build import build, family_class
from nextpixel.model_files.format import FORMAT, STORAGES, describe, fingerprint, storage_name
from nextpixel.model_files.record import TrainingRecord
from nextpixel.model_files.shipped import find_model, shipped
from nextpixel.nn.conditions import from_json
from nextpixel.plan.description import check_description

MOST_CONFIG_BYTES = 2**26
HALVES = {torch.float16, torch.bfloat16}


def load(folder: str | Path) -> ImageModel:
    """Load a model from a model folder or a training run's folder, in evaluation mode, on the CPU.

    Args:
        folder: the folder, or the name of a model that comes with the package, such as "nextpixel/digits-gated", or
            of one on the Hugging Face hub, "hf:USER/NAME" or "hf:USER/NAME@REVISION" (extra `hub`).

    Returns:
        The model; in float32 if its weights are stored in half precision, else as they are stored.

    Raises:
        ModelError: the folder is missing, not a model's, damaged, or of a newer version.
    """
    folder = find_model(folder)
    config_path, weights_path = folder / "config.json", folder / "model.safetensors"
    for path in (config_path, weights_path):
        try:
            is_there = path.is_file()
        except (OSError, ValueError) as error:
            raise ModelError(f"{str(path)[:200]} cannot be read ({error}); check the name") from error
        if not is_there:
            raise ModelError(f"{folder} is not a model folder: it has no {path.name}; train one with `nextpixel train`")
    config = _read_config(config_path)
    try:
        record = TrainingRecord.from_json(config.get("record", {}))
    except ValueError as error:
        raise ModelError(f"{config_path} {error}") from error
    description = config["model"]
    check_description(description, config_path)
    try:
        data = weights_path.read_bytes()
        tensors = load_tensors(data)
        # The file is read once: read again it might be another one, which a run beside has just saved. That the header
        # is sound has been checked by now.
        metadata = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")]).get("__metadata__", {})
        digest = fingerprint(description, tensors)
    except (OSError, SafetensorError, ValueError, KeyError, TypeError, RuntimeError, RecursionError) as error:
        raise ModelError(f"{weights_path} is damaged or no safetensors file: {error}") from error
    if metadata.get("sha256") != digest:
        raise ModelError(
            f"{weights_path} does not match its checksum together with {config_path.name}: "
            "one of the two is damaged or was changed; copy the folder again"
        )
    try:
        # A description of a huge model must not be believed before it fits the weights; first what can be told without
        # building anything (every layer has a weight), then the shapes of a model that is built without memory.
        config_class = family_class(description["family"]).config_class
        widest = max((side for tensor in tensors.values() for side in tensor.shape), default=0)
        if not config_class.of(description["options"]).fits(len(tensors), widest):
            raise ModelError(f"{config_path} describes a larger model than its weights are; copy the folder again")
        with torch.device("meta"):
            expected = {name: tensor.shape for name, tensor in _build(description).state_dict().items()}
        dtypes = {tensor.dtype for tensor in tensors.values()}
        if len(dtypes) != 1 or not dtypes <= set(STORAGES.values()):
            raise ModelError(f"{weights_path} has weights of {', '.join(map(str, dtypes))}, not of one kind of floats")
        (dtype,) = dtypes
        if config.get("storage", storage_name(dtype)) != storage_name(dtype):
            raise ModelError(
                f"{config_path} says that weights are stored as {config['storage']!r}, and {weights_path.name} has "
                f"{storage_name(dtype)}; copy the folder again"
            )
        if expected != {name: tensor.shape for name, tensor in tensors.items()}:
            raise ModelError(f"{config_path} does not describe the weights beside it; copy the folder again")
        model = _build(description)
    except (KeyError, TypeError, AttributeError, ValueError, RuntimeError, OverflowError) as error:
        raise ModelError(f"{config_path} does not describe a model: {error}") from error
    model.to(torch.float32 if dtype in HALVES else dtype).load_state_dict(tensors, strict=True)
    model.record = record
    return model.eval()


def _build(description: dict[str, Any]) -> ImageModel:
    return build(
        description["family"],
        image_shape=tuple(description["image_shape"]),
        levels=description["levels"],
        condition=from_json(description.get("condition")),
        **description["options"],
    )


def _read_config(path: Path) -> dict[str, Any]:
    try:
        if path.stat().st_size > MOST_CONFIG_BYTES:
            raise ModelError(f"{path} has more than {MOST_CONFIG_BYTES:,} bytes, which no description of a model has")
        config = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise ModelError(f"{path} cannot be read as JSON: {error}") from error
    if not isinstance(config, dict) or not isinstance(config.get("model"), dict):
        raise ModelError(f"{path} is not a nextpixel model's: it has no entry 'model'")
    if config.get("format") != FORMAT:
        raise ModelError(
            f"{path} has format {config.get('format')!r}, this version of nextpixel reads {FORMAT}; upgrade nextpixel"
        )
    if not isinstance(config.get("record", {}), dict):
        raise ModelError(f"{path}: the entry 'record' must be an object")
    return config


def load_shipped(beginning: bytes) -> ImageModel | None:
    """The model that comes with the package and whose fingerprint begins with these bytes; None if there is none."""
    for name in shipped():
        model = load(name)
        if bytes.fromhex(fingerprint(describe(model), model.state_dict())).startswith(beginning):
            return model
    return None

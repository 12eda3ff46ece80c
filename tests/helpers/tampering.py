"""Model folders that somebody has changed, who knows how checksums are made."""

import json

from safetensors.torch import load, save

from nextpixel.model_files.format import fingerprint


def tampered(folder, change_description=None, change_weights=None):
    """A model folder with another description or other weights, whose checksum fits."""
    config = json.loads((folder / "config.json").read_text())
    tensors = load((folder / "model.safetensors").read_bytes())
    if change_description is not None:
        change_description(config["model"])
    if change_weights is not None:
        tensors = {name: change_weights(name, weight) for name, weight in tensors.items()}
    metadata = {"sha256": fingerprint(config["model"], tensors)}
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "model.safetensors").write_bytes(save(tensors, metadata))
    return folder

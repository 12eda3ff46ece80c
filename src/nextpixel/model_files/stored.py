"""From a model to what is stored of it."""

from __future__ import annotations

import torch
from torch import Tensor

from nextpixel.model_files.format import WritableModel, describe
from nextpixel.plan.stored_model import Array, StoredModel


def stored_model(model: WritableModel) -> StoredModel:
    """What a model's folder holds of it: the description, and the weights, which share their memory with the model's.

    Args:
        model: on the CPU.
    """
    return StoredModel(describe(model), {name: _array(tensor) for name, tensor in model.state_dict().items()})


def _array(tensor: Tensor) -> Array:
    # As they are computed with once they are loaded; NumPy has no bfloat16.
    array: Array = (tensor.float() if tensor.dtype in (torch.float16, torch.bfloat16) else tensor).detach().numpy()
    return array

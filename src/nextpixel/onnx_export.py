"""The parallel pass of a model as an ONNX file, for other runtimes and languages (extra `onnx`).

Images and conditions go in, the log-probability of each sub-pixel comes out. Drawing goes step by step and stays here.
"""

from __future__ import annotations

import logging
import warnings
from importlib.util import find_spec
from pathlib import Path

import torch
from torch import Tensor, nn

from nextpixel.errors import InputError, ModelError
from nextpixel.families.base import ImageModel
from nextpixel.runtime.atomic_files import write_atomically

MOST_IMAGES = 2**16
"""In one pass of the file."""

MOST_NATS = 1e-3
"""By which a sub-pixel's log-probability may differ between onnxruntime and PyTorch, both in float32."""

LIBRARIES = ("onnx", "onnxscript", "onnxruntime")


class ParallelPass(nn.Module):
    """A model's likelihoods as a function of tensors alone.

    Args:
        model: the model.
        names: of its conditions, in the order in which they are given.
    """

    def __init__(self, model: ImageModel, names: list[str]) -> None:
        super().__init__()
        self.model, self.names = model, names

    def forward(self, images: Tensor, *values: Tensor) -> Tensor:
        """Nats of each sub-pixel, `[B, C, H, W]`; see `ImageModel.log_prob_map`."""
        context = self.model.context_of(dict(zip(self.names, values, strict=True)))
        return self.model.distribution.log_prob(self.model.predict(images, context), images)


def check_onnx() -> None:
    """Raise, before long work, where a library is missing.

    Raises:
        InputError: naming what to install.
    """
    missing = [name for name in LIBRARIES if find_spec(name) is None]
    if missing:
        raise InputError(f"{', '.join(missing)} is not installed; pip install 'nextpixel[onnx]'")


def write_onnx(model: ImageModel, path: str | Path) -> float:
    """Write the parallel pass as an ONNX file, and compare it with PyTorch by onnxruntime.

    The inputs are `images`, uint8 `[N, C, H, W]` of any N, and each condition by its name; the output is
    `log_prob_map`, float32 `[N, C, H, W]` in nats. A model of images of any size is written for those of
    `image_shape`.

    Args:
        model: in float32, on the CPU.
        path: the file; it appears whole or not at all.

    Returns:
        The largest difference between onnxruntime and PyTorch, in nats of a sub-pixel of random images.

    Raises:
        InputError: a library is missing, or the file cannot be written.
        ModelError: PyTorch cannot express the model, or what it wrote gives other likelihoods.
    """
    check_onnx()
    import onnxruntime

    images, values = _random_input(model, 2, seed=0)
    names = [*values]
    any_count = {0: torch.export.Dim("N", min=1, max=MOST_IMAGES)}
    shapes = (any_count, tuple(any_count for _ in names)) if names else (any_count,)
    parallel = ParallelPass(model.eval(), names)
    previous = logging.root.manager.disable
    try:
        # The exporter tells its own progress and what of PyTorch is deprecated.
        logging.disable(logging.WARNING)
        with warnings.catch_warnings(), torch.no_grad():
            warnings.simplefilter("ignore")
            program = torch.onnx.export(
                parallel,
                (images, *values.values()),
                input_names=["images", *names],
                output_names=["log_prob_map"],
                dynamic_shapes=shapes,
                dynamo=True,
                verbose=False,
            )
    except torch.onnx.OnnxExporterError as error:
        reason = " ".join(str(error.__cause__ or error).split())[:300]
        raise ModelError(f"PyTorch cannot write a model of the family {model.family} as ONNX ({reason})") from error
    finally:
        logging.disable(previous)
    assert program is not None
    data = program.model_proto.SerializeToString()
    session = onnxruntime.InferenceSession(data, providers=["CPUExecutionProvider"])
    images, values = _random_input(model, 3, seed=1)
    inputs = {"images": images.numpy()} | {name: value.numpy() for name, value in values.items()}
    with torch.no_grad():
        expected = parallel(images, *values.values())
    difference = float((torch.from_numpy(session.run(None, inputs)[0]) - expected).abs().max())
    if not difference <= MOST_NATS:
        raise ModelError(
            f"as ONNX a sub-pixel's likelihood differs by {difference:.2g} nats from PyTorch's, more than "
            f"{MOST_NATS:g}; nothing is written"
        )
    try:
        write_atomically(Path(path), data)
    except OSError as error:
        raise InputError(f"{path} cannot be written ({error})") from error
    return difference


def _random_input(model: ImageModel, count: int, *, seed: int) -> tuple[Tensor, dict[str, Tensor]]:
    """Random images, and random conditions by their names."""
    generator = torch.Generator().manual_seed(seed)
    images = torch.randint(0, model.levels, (count, *model.image_shape), generator=generator, dtype=torch.uint8)
    return images, model.random_condition(count, generator)

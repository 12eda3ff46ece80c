"""nextpixel: exact-likelihood autoregressive image models.

The names below are the public interface. They are imported on first use, so that `import nextpixel` (and the
command line's `--help`) does not wait for PyTorch.

Units: `log_prob` is in nats (natural logarithm) for each image; `bits_per_dim` is `-log_prob / (C*H*W*ln 2)`.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from nextpixel._version import __version__
from nextpixel.errors import DataError, InputError, ModelError, NextpixelError, ProcessError, TrainingError

if TYPE_CHECKING:
    from nextpixel.codec.codec import compress, decompress
    from nextpixel.data import ImageSet, open_images, prepare
    from nextpixel.data.pictures import Pictures, open_pictures
    from nextpixel.exporting import export
    from nextpixel.families.base import ImageModel
    from nextpixel.families.build import build
    from nextpixel.families.configs import Config, option
    from nextpixel.families.raster_model import RasterModel
    from nextpixel.families.register import register
    from nextpixel.families.registry import models
    from nextpixel.model_files.likelihood import Likelihood
    from nextpixel.model_files.loading import load
    from nextpixel.nn.conditioning import Context
    from nextpixel.nn.conditions import Labels, Map, Vector
    from nextpixel.nn.distributions import SamplingParams
    from nextpixel.nn.masked_conv import MaskedConv2d
    from nextpixel.nn.masks import ChannelGroups
    from nextpixel.rendering.show import show
    from nextpixel.runtime.progress import Progress
    from nextpixel.scoring.anomaly import Scores, score
    from nextpixel.scoring.anomaly_scorer import AnomalyScorer
    from nextpixel.scoring.comparison import compare
    from nextpixel.scoring.heat_maps import heat_maps
    from nextpixel.scoring.likelihood import evaluate
    from nextpixel.training.api import train
    from nextpixel.training.settings import TrainingSettings
    from nextpixel.verify import CausalityReport, check_causality

_LAZY = {
    "AnomalyScorer": "nextpixel.scoring.anomaly_scorer",
    "CausalityReport": "nextpixel.verify",
    "ChannelGroups": "nextpixel.nn.masks",
    "Config": "nextpixel.families.configs",
    "Context": "nextpixel.nn.conditioning",
    "ImageModel": "nextpixel.families.base",
    "ImageSet": "nextpixel.data",
    "Labels": "nextpixel.nn.conditions",
    "Likelihood": "nextpixel.model_files.likelihood",
    "Map": "nextpixel.nn.conditions",
    "MaskedConv2d": "nextpixel.nn.masked_conv",
    "Pictures": "nextpixel.data.pictures",
    "Progress": "nextpixel.runtime.progress",
    "RasterModel": "nextpixel.families.raster_model",
    "SamplingParams": "nextpixel.nn.distributions",
    "Scores": "nextpixel.scoring.anomaly",
    "TrainingSettings": "nextpixel.training.settings",
    "Vector": "nextpixel.nn.conditions",
    "build": "nextpixel.families.build",
    "check_causality": "nextpixel.verify",
    "compare": "nextpixel.scoring.comparison",
    "compress": "nextpixel.codec.codec",
    "decompress": "nextpixel.codec.codec",
    "evaluate": "nextpixel.scoring.likelihood",
    "export": "nextpixel.exporting",
    "heat_maps": "nextpixel.scoring.heat_maps",
    "load": "nextpixel.model_files.loading",
    "models": "nextpixel.families.registry",
    "open_images": "nextpixel.data",
    "open_pictures": "nextpixel.data.pictures",
    "option": "nextpixel.families.configs",
    "prepare": "nextpixel.data",
    "register": "nextpixel.families.register",
    "score": "nextpixel.scoring.anomaly",
    "show": "nextpixel.rendering.show",
    "train": "nextpixel.training.api",
}

__all__ = [
    "AnomalyScorer",
    "CausalityReport",
    "ChannelGroups",
    "Config",
    "Context",
    "DataError",
    "ImageModel",
    "ImageSet",
    "InputError",
    "Labels",
    "Likelihood",
    "Map",
    "MaskedConv2d",
    "ModelError",
    "NextpixelError",
    "Pictures",
    "ProcessError",
    "Progress",
    "RasterModel",
    "SamplingParams",
    "Scores",
    "TrainingError",
    "TrainingSettings",
    "Vector",
    "__version__",
    "build",
    "check_causality",
    "compare",
    "compress",
    "decompress",
    "evaluate",
    "export",
    "heat_maps",
    "load",
    "models",
    "open_images",
    "open_pictures",
    "option",
    "prepare",
    "register",
    "score",
    "show",
    "train",
]


def __getattr__(name: str) -> object:
    if name not in _LAZY:
        raise AttributeError(f"module 'nextpixel' has no attribute {name!r}")
    return getattr(import_module(_LAZY[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)

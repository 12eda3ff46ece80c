"""How to train. This module imports no PyTorch: the command line takes its options from it."""

from __future__ import annotations

import math
import re
from dataclasses import asdict, dataclass
from typing import Literal

from nextpixel.errors import TrainingError

AUGMENTATIONS = ("flips", "downscale", "noise")


@dataclass(frozen=True, kw_only=True)
class TrainingSettings:
    """Settings of a training run.

    The length is given by one of `steps`, `epochs` and `minutes`. By steps or epochs, a run is a function of its
    settings and the images: interrupted and resumed, it ends with the same bits. By minutes the learning rate follows
    the clock, so that it always reaches the end of its schedule, and the bits depend on the machine's speed.

    Attributes:
        steps: Train for this many steps.
        epochs: Train for this many passes over the training images (default: 10 epochs).
        minutes: Train for this many minutes, validation and sample grids included.
        batch_size: Images in a step, of all processes together; auto takes as many as fit into memory while more of
            them are faster, and keeps the number when the run is resumed.
        accumulate: Take the images of a step in this many parts, one after another, to need less memory.
        checkpoint_activations: Compute the features of the layers twice instead of keeping them, to need less memory.
        learning_rate: Learning rate after the warm-up; it then falls to zero along a cosine.
        warmup: Steps over which the learning rate rises to its full value; at most the first tenth of the run.
        optimizer: adamw, or rmsprop as in the PixelRNN paper.
        weight_decay: Decoupled weight decay (AdamW) or L2 penalty (RMSProp).
        clip: Largest norm of the gradient of the nats per sub-pixel; larger ones are scaled down to it.
        ema: Decay of the moving average of the weights, which is what is evaluated and saved; 0 for none.
        precision: auto is bfloat16 where the processor multiplies it faster than float32.
        device: auto is a CUDA device where there is one, else the CPU.
        compile: Compile the network with torch.compile (needs a C++ compiler on a CPU; minutes at the start).
        seed: Seed of the initial weights, the order of the images, and all noise.
        validations: Number of validations, spread evenly over the run.
        valid_images: Images used in each validation; the last one, at the end, always uses all.
        grids: Number of sample grids to write, spread evenly over the run.
        grid_images: Images in a sample grid.
        checkpoint_minutes: Minutes between checkpoints.
        crop: Height and width, such as 64x64: train on crops of this size, drawn anew in every step from pictures that
            are read as they are, of any sizes; validation takes whole pictures where the model can, else pieces of
            this size.
        augment: Random changes of crops, off by default, with commas between them. flips, of whole images as well: left
            and right are mirrored, for one in two; the likelihood stays that of the data only where mirror images are
            as likely. downscale: three pictures in four are made smaller before the crop is cut, by
            a random factor up to 4 and a random kernel (box, bilinear, bicubic or Lanczos). noise: one crop in two
            gets noise as a sensor has it, the more the brighter a pixel is, of a random strength.
    """

    steps: int | None = None
    epochs: float | None = None
    minutes: float | None = None
    batch_size: int | Literal["auto"] = 64
    accumulate: int = 1
    checkpoint_activations: bool = False
    learning_rate: float = 1e-3
    warmup: int = 200
    optimizer: Literal["adamw", "rmsprop"] = "adamw"
    weight_decay: float = 0.0
    clip: float = 1.0
    ema: float = 0.999
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    device: str = "auto"
    compile: bool = False
    seed: int = 0
    validations: int = 20
    valid_images: int = 1000
    grids: int = 4
    grid_images: int = 16
    checkpoint_minutes: float = 2.0
    crop: str | tuple[int, int] | None = None
    augment: str | tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        """Refuse what cannot work.

        Raises:
            TrainingError: a setting is out of range.
        """
        # Words are what files and commands hold.
        if self.crop is not None and not isinstance(self.crop, str):
            object.__setattr__(self, "crop", "x".join(map(str, self.crop)))
        if self.augment is not None and not isinstance(self.augment, str):
            object.__setattr__(self, "augment", ",".join(self.augment))
        size = self.crop_size
        if set(self.augmentations) - {"flips"} and size is None:
            raise TrainingError(
                f"augment {self.augment} changes crops, and only flips change whole images; add crop, such as --crop "
                "64x64"
            )
        lengths = {"steps": self.steps, "epochs": self.epochs, "minutes": self.minutes}
        lengths_given = [name for name, value in lengths.items() if value is not None]
        if len(lengths_given) > 1:
            raise TrainingError(
                f"{lengths_given[0]} and {lengths_given[1]} both set the length of the run; give one of them"
            )
        positive = {
            **{name: value for name, value in lengths.items() if value is not None},
            "batch_size": self.images_a_step if self.batch_size != "auto" else 1,
            "accumulate": self.accumulate,
            "learning_rate": self.learning_rate,
            "clip": self.clip,
            "validations": self.validations,
            "valid_images": self.valid_images,
            "grid_images": self.grid_images,
        }
        not_negative = {
            "warmup": self.warmup,
            "weight_decay": self.weight_decay,
            "seed": self.seed,
            "grids": self.grids,
            "checkpoint_minutes": self.checkpoint_minutes,
        }
        for name, value in positive.items():
            if not (math.isfinite(value) and value > 0):
                raise TrainingError(f"{name} must be more than 0, not {value}")
        for name, value in not_negative.items():
            if not (math.isfinite(value) and value >= 0):
                raise TrainingError(f"{name} must be 0 or more, not {value}")
        for name, number, most in (("seed", self.seed, 2**63 - 1), ("batch_size", positive["batch_size"], 2**20)):
            if number > most:
                raise TrainingError(f"{name} must be at most {most}, not {number}")
        if not 0 <= self.ema < 1:
            raise TrainingError(f"ema must be at least 0 and below 1, not {self.ema}")

    @property
    def crop_size(self) -> tuple[int, int] | None:
        """Height and width of a crop; None where whole images are trained on.

        Raises:
            TrainingError: It is not a size.
        """
        if self.crop is None:
            return None
        match = re.fullmatch(r"(\d{1,5})(?:x(\d{1,5}))?", str(self.crop))
        size = None if match is None else (int(match[1]), int(match[2] or match[1]))
        if size is None or min(size) < 1:
            raise TrainingError(f"crop must be a size such as 64x64, not {self.crop!r}")
        return size

    @property
    def augmentations(self) -> tuple[str, ...]:
        """The random changes of crops, a name each.

        Raises:
            TrainingError: One is unknown.
        """
        names = tuple(name.strip() for name in str(self.augment).split(",")) if self.augment else ()
        for name in names:
            if name not in AUGMENTATIONS:
                raise TrainingError(f"augment knows {', '.join(AUGMENTATIONS)}, not {name!r}")
        return names

    def to_json(self) -> dict[str, str | int | float | bool | None]:
        """Name the settings as files hold them; without those of crops where there are none, as before there were."""
        return {
            name: value for name, value in asdict(self).items() if value is not None or name not in ("crop", "augment")
        }

    def total_steps(self, images: int) -> int | None:
        """Steps of the whole run over a set of `images`; None when the clock decides."""
        if self.minutes is not None:
            return None
        if self.steps is not None:
            return self.steps
        return max(1, math.ceil((10 if self.epochs is None else self.epochs) * images / self.images_a_step))

    @property
    def images_a_step(self) -> int:
        """The batch size as a number.

        Raises:
            TrainingError: it is auto, and not found yet.
        """
        if self.batch_size == "auto":
            raise TrainingError("batch_size auto is found by nextpixel.train; give a number")
        return self.batch_size

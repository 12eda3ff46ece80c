"""The base class of all models: the public methods, their checks, and what a family has to provide.

A model gives `p(x) = prod_t p(x_t | x_{<t})` over the sub-pixels of an image in the order `order`. The methods that a
user calls check their arguments once. `predict`, `context_of` and `fill` take what is checked; with them the rest of
the package computes and draws (`nextpixel.generation.model.GenerativeModel`). A family implements the underscored ones.
"""

from __future__ import annotations

import math
import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from inspect import Parameter, Signature, signature
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import torch
from torch import Tensor, nn

from nextpixel.errors import InputError, ModelError
from nextpixel.families.configs import CompositeConfig, Config
from nextpixel.generation.candidates import choose_candidates
from nextpixel.generation.canvas import Canvas
from nextpixel.generation.walk import FLOATS_AT_ONCE, MOST_AT_ONCE, MOST_ON_A_GPU, walk, walk_by_passes
from nextpixel.model_files.card import facts
from nextpixel.model_files.record import TrainingRecord
from nextpixel.model_files.saving import save
from nextpixel.nn.conditioning import Conditioning, Context, ContextSizes
from nextpixel.nn.conditions import Specification, Values, checked_values, named, random_values
from nextpixel.nn.distributions import SamplingParams
from nextpixel.nn.heads import distribution
from nextpixel.nn.tensors import as_tensor
from nextpixel.runtime.html import facts_table
from nextpixel.runtime.precision import in_full_float32
from nextpixel.runtime.progress import Advance
from nextpixel.runtime.validation import MOST_SIDE, integer

if TYPE_CHECKING:
    from nextpixel.data import ImageSet

INTEGERS = (torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64)


class ImageModel(nn.Module, ABC):
    """An exact-likelihood autoregressive model of images.

    Args:
        image_shape: `(C, H, W)` with 1 to 4 channels.
        levels: values that a sub-pixel can take, 2 to 256.
        condition: what the images depend on: `Labels`, `Vector`, `Map`, a dict of them by name, or None.
        **options: those of the family's config, by name; all have `head` and `components`.

    Attributes:
        config_class: what the family is called, and its options.
        family: name under which `nextpixel.build` knows the class.
        config: the options of this model.
        condition: what the images depend on.
        conditioning: makes what the layers see of the conditions; None without.
        options: the arguments that rebuild this model, beside `image_shape`, `levels` and `condition`: what `config`
            describes; JSON-compatible.
        record: what is known of the model's training (data, steps, figures); saved with it. JSON-compatible.

    Raises:
        ModelError: the shape, the number of levels or an option is out of range, an option is unknown, or a subclass
            overrides the parallel pass of a family and not its steps.
    """

    config_class: ClassVar[type[Config]] = Config
    family: ClassVar[str]
    arithmetic: ClassVar[tuple[str, ...]] = ("_network", "predict", "normalised")
    """Methods that the parallel pass consists of: who overrides one overrides the steps as well."""

    any_size: ClassVar[bool] = False
    """Whether it is made for images of any height and width, so that sets of pictures need no resizing."""

    knows_positions: ClassVar[bool] = True
    """Whether the place in the image matters; else likelihoods and completions of any height and width can be had."""

    completes_from_anything: ClassVar[bool] = False
    """Whether `fill` draws what is unknown given all that is known, wherever it is, as families of any order do."""

    config: Config
    __signature__: ClassVar[Signature]
    _checkpoint_activations = False

    def __init_subclass__(cls, **arguments: object) -> None:
        super().__init_subclass__(**arguments)
        if "config_class" in vars(cls):
            cls.family = cls.config_class.family
            cls.__signature__ = _signature(cls.config_class)

    def __init__(
        self,
        image_shape: tuple[int, int, int],
        levels: int = 256,
        condition: Specification | None = None,
        **options: object,
    ) -> None:
        super().__init__()
        self.check_arithmetic()
        if not isinstance(image_shape, Sequence) or len(image_shape) != 3:
            raise ModelError(f"image_shape must be (channels, height, width), not {image_shape!r}")
        self.image_shape: tuple[int, int, int] = (
            integer("the number of channels, first in image_shape,", image_shape[0], 1, 4),
            integer("the height in image_shape", image_shape[1], 1, MOST_SIDE),
            integer("the width in image_shape", image_shape[2], 1, MOST_SIDE),
        )
        self.levels = integer("levels", levels, 2, 256)
        self.config = self.config_class.of(options)
        self.options = self.config.describe()
        self.distribution = distribution(self.config.head, self.levels, self.image_shape[0], self.config.components)
        self.record = TrainingRecord()
        self.condition = self._specification(condition)
        conditions, features = named(self.condition), self.config.condition_features
        self.conditioning = Conditioning(conditions, self.image_shape[1:], features) if conditions else None
        self._make_layers()

    def _repr_html_(self) -> str:
        return facts_table(self.record.name or self.family, facts(self))

    @property
    def checkpoint_activations(self) -> bool:
        """Whether training keeps only what enters each layer, and computes the rest again in the backward pass.

        It takes a good third more time and a fraction of the memory; the gradients stay the same. It belongs to the
        training, not to the model: it is not saved. Setting it sets it in the models inside as well.
        """
        return self._checkpoint_activations

    @checkpoint_activations.setter
    def checkpoint_activations(self, value: bool) -> None:
        for module in self.modules():
            if isinstance(module, ImageModel):
                module._checkpoint_activations = value

    # What a family provides -----------------------------------------------------------------------------------

    def _specification(self, condition: Specification | None) -> Specification | None:
        """What the images depend on, if this was asked for; `config` is there.

        Raises:
            ModelError: they cannot.
        """
        return condition

    def _make_layers(self) -> None:
        """Make the layers; `config`, `image_shape`, `levels`, `distribution` and `context_sizes` are there."""

    @abstractmethod
    def _network(self, inputs: Tensor, context: Context | None) -> Tensor:
        """The parameters of every sub-pixel's distribution, in one parallel pass.

        Args:
            inputs: float `[B, C, H, W]` in [-1, 1].
            context: what the layers see of the conditions; None without.

        Returns:
            Float `[B, distribution.parameters, C, H, W]`; the parameters of a sub-pixel depend on earlier ones only.
        """

    def fill(self, canvas: Canvas, context: Context | None) -> None:
        """Draw what is unknown on a canvas, in `order`; by a pass for each sub-pixel where a family knows no better.

        Args:
            canvas: images on the model's device.
            context: what the layers see of the conditions of these images; None without.
        """
        walk_by_passes(self, canvas, context)

    @property
    def images_at_once(self) -> int:
        """How many images are drawn together, so that a row of all their features takes some 500 MB at most."""
        channels = sum(weight.shape[0] for weight in self.parameters() if weight.ndim > 1)
        most = MOST_AT_ONCE if self.device.type == "cpu" else MOST_ON_A_GPU
        return max(1, min(most, FLOATS_AT_ONCE // (3 * channels * self.image_shape[2])))

    @abstractmethod
    def receptive_field(self) -> Tensor:
        """What the architecture, from its definition and not from its weights or masks, lets each sub-pixel see.

        Returns:
            Bool `[C*H*W, C*H*W]`, both axes in the memory order of `[C, H, W]`: entry (t, s) is True where the
            distribution of sub-pixel t depends on sub-pixel s. `nextpixel.check_causality` holds the weights to it.
        """

    def promised_context(self) -> Tensor:
        """`receptive_field` by its former name, which is deprecated."""
        warnings.warn("promised_context is called receptive_field now", DeprecationWarning, stacklevel=2)
        return self.receptive_field()

    @property
    def order(self) -> Tensor:
        """Rank of each sub-pixel in the generation order, int64 `[C, H, W]`; here raster order, colours innermost."""
        channels, height, width = self.image_shape
        return torch.arange(height * width * channels).view(height, width, channels).permute(2, 0, 1)

    @property
    def order_count(self) -> int:
        """How many orders the model is trained in; `in_order` takes their numbers."""
        return 1

    def in_order(self, order: int | Tensor) -> ImageModel:
        """The model with the same weights in another order, of a family of any order.

        Args:
            order: the number of an order of its training, from 0, or ranks of the pixels, `[H, W]`.

        Raises:
            InputError: it is no order of this model.
        """
        if not isinstance(order, Tensor) and order == 0:
            return self
        raise InputError(
            f"a {self.family} has one order; train a locally-masked to have likelihoods and completions in others"
        )

    # Likelihood ------------------------------------------------------------------------------------------------

    def forward(self, images: Tensor, condition: Values | None = None) -> Tensor:
        """The logits of `logits`; the call that `torch.compile` and DistributedDataParallel wrap."""
        images = self.checked_images(images)
        return self.distribution.logits(self.predict(images, self.context_of(self.conditions_for(images, condition))))

    def logits(self, images: Tensor, condition: Values | None = None) -> Tensor:
        """Logits over the levels of each sub-pixel, given all earlier sub-pixels of the same image.

        Args:
            images: integers `[B, C, H, W]` in 0..levels-1.
            condition: for `Labels` integers `[B]`, for `Vector(d)` floats `[B, d]`, for `Map(channels, size)` floats
                `[B, channels, *size]`, or one of these for all images; for several conditions a dict of them by name;
                None for a model without.

        Returns:
            Float `[B, levels, C, H, W]`.

        Raises:
            InputError: the images or the condition do not fit the model.
        """
        logits: Tensor = self(images, condition)
        return logits

    def log_prob_map(self, images: Tensor, condition: Values | None = None) -> Tensor:
        """Log-probability of each sub-pixel given the earlier ones, in nats: `[B, C, H, W]`. See `logits`."""
        images = self.checked_images(images)
        return self.distribution.log_prob(
            self.predict(images, self.context_of(self.conditions_for(images, condition))), images
        )

    def log_prob(self, images: Tensor, condition: Values | None = None) -> Tensor:
        """Log-probability of each image in nats: `[B]`, the sum of `log_prob_map`. See `logits`."""
        return self.log_prob_map(images, condition).flatten(1).sum(dim=1)

    def bits_per_dim(self, images: Tensor, condition: Values | None = None) -> Tensor:
        """Bits for each sub-pixel of each image, `-log_prob / (C*H*W*ln 2)`: `[B]`. See `logits`."""
        return self.log_prob(images, condition) / (-math.prod(as_tensor(images, "images").shape[1:]) * math.log(2))

    # Generation ------------------------------------------------------------------------------------------------

    def sample(
        self,
        count: int,
        condition: Values | None = None,
        *,
        temperature: float = 1.0,
        top_k: int | None = None,
        top_p: float | None = None,
        generator: torch.Generator | None = None,
        advance: Advance | None = None,
        watch: Callable[[Tensor], None] | None = None,
    ) -> Tensor:
        """Draw images from the model.

        Args:
            count: how many, at least 1.
            condition: one a sample or one for all; see `logits`.
            temperature: divides the logits; 1 draws from the model, 0 takes the most probable level every time.
            top_k: draw each sub-pixel from its so many most probable levels only.
            top_p: draw each sub-pixel from the fewest most probable levels that together have this probability.
            generator: a CPU generator for reproducible draws; the global one if None.
            advance: called with numbers of sub-pixels done, which add up to `count * C * H * W`.
            watch: called after each row with the images, uint8 `[b, C, H, W]`, that are drawn together, which are
                `images_at_once` at most; what is not drawn yet is 0.

        Returns:
            uint8 `[count, C, H, W]` on the model's device.

        Raises:
            InputError: an argument is out of range.
        """
        count = integer("count", count, 1, error=InputError)
        blank = torch.zeros((count, *self.image_shape), dtype=torch.uint8)
        known = torch.zeros((count, *self.image_shape[1:]), dtype=torch.bool)
        return self.complete(
            blank,
            known,
            condition,
            temperature=temperature,
            top_k=top_k,
            top_p=top_p,
            generator=generator,
            advance=advance,
            watch=watch,
        )

    def complete(
        self,
        images: Tensor,
        known: Tensor,
        condition: Values | None = None,
        *,
        temperature: float = 1.0,
        top_k: int | None = None,
        top_p: float | None = None,
        candidates: int = 1,
        generator: torch.Generator | None = None,
        advance: Advance | None = None,
        watch: Callable[[Tensor], None] | None = None,
    ) -> Tensor:
        """Draw the unknown pixels of images, each given all pixels that come before it in `order`.

        The result is a draw from the model's conditional distribution where every unknown pixel comes after the
        known ones; families of any order see to that. Elsewhere a known pixel that comes after an unknown one is kept,
        but could not influence it; with several `candidates` it does, approximately (see
        `nextpixel.generation.candidates`).

        Args:
            images: integers `[B, C, H, W]` in 0..levels-1; values at unknown pixels are ignored.
            known: bool `[H, W]` or `[B, H, W]`, True where the pixel is given.
            condition: one an image or one for all; see `logits`.
            temperature: see `sample`.
            top_k: see `sample`.
            top_p: see `sample`.
            candidates: draw so many completions of each image, and choose one by how well the known pixels fit it.
            generator: see `sample`.
            advance: see `sample`; the numbers add up to `candidates` times as many.
            watch: see `sample`; not with several candidates.

        Returns:
            uint8 `[B, C, H, W]` on the model's device, equal to `images` at the known pixels.

        Raises:
            InputError: an argument does not fit the model.
        """
        sampling = SamplingParams(temperature, top_k, top_p)
        if generator is not None and not (isinstance(generator, torch.Generator) and generator.device.type == "cpu"):
            raise InputError(f"generator must be a torch.Generator of the CPU, not {generator!r}")
        if candidates != 1 and watch is not None:
            raise InputError("watch shows one completion of each image; leave it out, or candidates")
        images, known, values = self.completion_arguments(images, known, condition)
        if candidates != 1:
            return choose_candidates(
                self, images, known, values, candidates, sampling=sampling, generator=generator, advance=advance
            ).images
        return walk(
            self, images, known, values, sampling=sampling, generator=generator, advance=advance, watch=watch
        ).images

    def completion_arguments(
        self, images: Tensor, known: Tensor, condition: Values | None
    ) -> tuple[Tensor, Tensor, dict[str, Tensor]]:
        """The arguments of `complete` as `walk` takes them, if they fit the model."""
        images, known = as_tensor(images, "images"), as_tensor(known, "known")
        self._check_shape(images)
        if known.dtype != torch.bool or known.ndim not in (2, 3) or known.shape[-2:] != images.shape[-2:]:
            raise InputError(
                f"known must be bool [H, W] or [B, H, W] with H, W = {self.image_shape[1:]}, "
                f"not {known.dtype} {list(known.shape)}"
            )
        if known.ndim == 3 and len(known) != len(images):
            raise InputError(f"known has {len(known)} masks for {len(images)} images; give one, or one an image")
        known = known.to(images.device).expand(len(images), -1, -1)[:, None].expand_as(images)
        # What stands at unknown pixels is ignored, so it need not be in range either.
        images = self.checked_images(torch.where(known, images, 0))
        return images, known.to(self.device), self.condition_values(condition, len(images))

    def depth(self, name: str) -> int:
        """How far from the object a method is defined: 0 by itself, 1 by its class, 2 by the class before it."""
        classes = [vars(self), *map(vars, type(self).__mro__)]
        return next((place for place, members in enumerate(classes) if name in members), len(classes))

    def check_arithmetic(self) -> None:
        """Refuse a model whose parallel pass was overridden, and not the steps that are to compute the same.

        Raises:
            ModelError: it is one.
        """
        depth = self.depth
        if depth("fill") == 1 + type(self).__mro__.index(ImageModel):
            # Drawn by parallel passes, whatever they compute.
            return
        engine = min(depth("fill"), depth("_stepper"), depth("lower"))
        for name in self.arithmetic:
            if depth(name) < engine:
                stepped = type(self).__mro__[engine - 1].__name__
                raise ModelError(
                    f"{type(self).__name__} overrides {name} and keeps the steps of {stepped}, which compute something "
                    "else; override _stepper or fill too"
                )

    # Training --------------------------------------------------------------------------------------------------

    def fit_condition(self, condition: Values) -> None:
        """Standardise vectors by those of a training set, before training.

        Args:
            condition: the conditions of all training images; see `logits`.
        """
        if self.conditioning is not None:
            some = next(iter(condition.values())) if isinstance(condition, dict) else condition
            self.conditioning.fit(self.condition_values(condition, len(as_tensor(some, "conditions"))))

    def step_of_training(self, seed: int) -> AbstractContextManager[None]:  # noqa: ARG002 - for families that change
        """Inside, what changes from step to step of a training is as the seed of a step says."""
        return nullcontext()

    @property
    def companion(self) -> nn.Module | None:
        """The network of `companion_loss`, or None."""
        return None

    def companion_loss(self, images: Tensor) -> Tensor | None:  # noqa: ARG002 - for families that have one
        """The loss of a network that is trained beside the model, from the same images, and shares no weights with it.

        Args:
            images: integers `[B, C, H, W]` in 0..levels-1.

        Returns:
            A scalar, or None for a family without such a network.
        """
        return None

    # Files -----------------------------------------------------------------------------------------------------

    def save(self, folder: str | Path) -> None:
        """Write `config.json`, `model.safetensors` and the model card `README.md` into `folder`.

        Raises:
            ModelError: the folder cannot be written.
        """
        save(self, Path(folder))

    # Checks ----------------------------------------------------------------------------------------------------

    @property
    def device(self) -> torch.device:
        """Where the parameters are."""
        return next(self.parameters()).device

    def normalised(self, images: Tensor) -> Tensor:
        """Integers 0..levels-1 as the floats in [-1, 1] that the network takes, in the dtype of its parameters."""
        # Channels last is the layout in which convolutions are fast on CPUs. With one channel `.contiguous()` would
        # leave the strides as they are, and every map computed from them in the slow layout.
        inputs = torch.empty(
            images.shape,
            device=images.device,
            dtype=next(self.parameters()).dtype,
            memory_format=torch.channels_last,
        )
        return inputs.copy_(images).mul_(2 / (self.levels - 1)).sub_(1)

    @in_full_float32
    def predict(self, images: Tensor, context: Context | None) -> Tensor:
        """The parameters of all sub-pixels of images, as their distribution takes them."""
        return self.parameters_of(self.normalised(images), context)

    def parameters_of(self, inputs: Tensor, context: Context | None) -> Tensor:
        """The parameters of all sub-pixels, `[B, P, C, H, W]`, with what earlier colours of a pixel add to them.

        Args:
            inputs: float `[B, C, H, W]` in [-1, 1].
            context: what the layers see of the conditions; None without.
        """
        return self.distribution.coupled_map(self._network(inputs, context), inputs)

    def condition_values(self, condition: object, count: int) -> dict[str, Tensor]:
        """The values of the conditions by name, on the model's device, if they fit the model and `count` images."""
        values = checked_values(self.condition, condition, count)
        return {name: value.to(self.device) for name, value in values.items()}

    def conditions_for(self, images: Tensor, condition: Values | None) -> dict[str, Tensor]:
        """The values of the conditions for images whose likelihood is asked for."""
        return self.condition_values(condition, len(images))

    @in_full_float32
    def context_of(self, values: dict[str, Tensor]) -> Context | None:
        """What the layers see of the values of the conditions; None without conditions.

        Args:
            values: each condition's by name, `[B, ...]` on the model's device, as `condition_values` returns them.
        """
        return None if self.conditioning is None else self.conditioning(values, next(self.parameters()).dtype)

    @property
    def needs_condition(self) -> bool:
        """Whether likelihoods can only be had with a condition."""
        return self.condition is not None

    @property
    def context_sizes(self) -> ContextSizes | None:
        """Channels of what the layers see of the conditions; None without."""
        return None if self.conditioning is None else self.conditioning.sizes

    def random_condition(self, count: int, generator: torch.Generator) -> dict[str, Tensor]:
        """Any values of the conditions, by name; for checks of the network, not meant to be likely."""
        values = random_values(self.condition, count, generator)
        return {name: value.to(self.device) for name, value in values.items()}

    def checked_images(self, images: Tensor) -> Tensor:
        """The images on the model's device, if they fit the model."""
        images = as_tensor(images, "images")
        self._check_shape(images)
        # Looking at the values would break a compiled graph, and the loss would show the fault.
        if images.numel() and not torch.compiler.is_compiling():
            low, high = (int(value) for value in images.aminmax())
            if low < 0 or high >= self.levels:
                raise InputError(
                    f"images hold values from {low} to {high}, but this model has levels 0..{self.levels - 1}; "
                    f"open them with levels={self.levels}"
                )
        return images.to(self.device)

    def check_set(self, images: ImageSet, *, with_condition: bool = True) -> None:
        """Refuse a set of images of another shape, of another number of levels, or without the model's conditions.

        Args:
            images: the set.
            with_condition: whether its conditions matter.

        Raises:
            InputError: with the remedy.
        """
        if images.image_shape != self.image_shape:
            (channels, *size), (wanted, height, width) = images.image_shape, self.image_shape
            remedies = [f"--resize {height}x{width} (resize=({height}, {width}))"] if size != [height, width] else []
            if channels in (2, 4) and wanted in (1, 3):
                remedies.append("--drop-alpha (drop_alpha=True)")
            if wanted in (1, 3) and channels not in (wanted, wanted + 1):
                mode = "grey" if wanted == 1 else "rgb"
                remedies.append(f"--mode {mode} (mode={mode!r})")
            raise InputError(
                f"{images.name} has images of {' x '.join(map(str, images.image_shape))}, this model takes "
                f"{' x '.join(map(str, self.image_shape))} (channels, height, width); "
                + (f"convert them with {' and '.join(remedies)}" if remedies else "use images with as many channels")
            )
        if with_condition and (self.needs_condition or images.condition is not None):
            checked_values(self.condition, images.condition, len(images))
        if images.levels != self.levels:
            remedy = " or --binarize" if self.levels == 2 else ""
            raise InputError(
                f"{images.name} has {images.levels} levels, this model {self.levels}; open it with "
                f"--levels {self.levels}{remedy} (levels={self.levels} in open_images), whichever it was trained on"
            )

    def _check_shape(self, images: Tensor) -> None:
        if images.dtype not in INTEGERS:
            raise InputError(f"images must be uint8 or signed integers in 0..{self.levels - 1}, not {images.dtype}")
        places = self.context_sizes.places if self.context_sizes is not None else 0
        if not self.knows_positions and not places and images.ndim == 4 and images.shape[1] == self.image_shape[0]:
            return
        if images.ndim != 4 or tuple(images.shape[1:]) != self.image_shape:
            raise InputError(
                f"images must have the shape [B, {', '.join(map(str, self.image_shape))}], not {list(images.shape)}"
            )


def _signature(config: type[Config]) -> Signature:
    """The arguments of a family's constructor, with the options of its config by name."""
    shape, levels, condition = (
        parameter
        for parameter in signature(ImageModel.__init__).parameters.values()
        if parameter.name in {"image_shape", "levels", "condition"}
    )
    options = [
        Parameter(one.name, Parameter.KEYWORD_ONLY, default=one.rule.default, annotation=one.kind)
        for one in config.options()
    ]
    more = [Parameter("inner_options", Parameter.VAR_KEYWORD)] if issubclass(config, CompositeConfig) else []
    return Signature([shape, levels, condition, *options, *more])


def check_model(model: object) -> None:
    """Refuse what is no model, such as the path of one.

    Raises:
        InputError: with the remedy.
    """
    if not isinstance(getattr(model, "_orig_mod", model), ImageModel):
        raise InputError(f"a model is needed, not {model!r:.80}; make one with nextpixel.load or nextpixel.build")

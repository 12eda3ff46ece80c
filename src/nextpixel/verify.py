"""Proof by gradients that a model sees the past and nothing else.

For every output sub-pixel t and every input sub-pixel s, the gradient of t's distribution with respect to s must be
exactly zero where s does not come before t in the model's order, and must not be zero where the architecture promises
that t sees s. The gradients are taken at random images and for random combinations of the parameters of t's
distribution, in training and in evaluation mode, since layers such as batch normalisation leak in one of them only.

A first look is in float32. Outputs at which it finds anything wrong are looked at again in float64 and at several more
images, because a small gradient can vanish in float32, a fast convolution algorithm can leave a rounding error where a
zero belongs, and a ReLU can be off at one image; the second look decides.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import psutil
import torch
from torch import Tensor

from nextpixel.engines.native import kernel
from nextpixel.errors import InputError
from nextpixel.families.base import ImageModel
from nextpixel.families.raster_model import RasterModel
from nextpixel.generation.engine_choice import Engine, only
from nextpixel.generation.walk import walk
from nextpixel.nn.conditioning import Context
from nextpixel.runtime.batching import batches, scaled
from nextpixel.runtime.html import facts_table
from nextpixel.runtime.precision import evaluating
from nextpixel.runtime.progress import Advance
from nextpixel.runtime.validation import integer
from nextpixel.scoring.likelihood import check_finite

PAIRS_IN_A_REPORT = 5
FLOATS_IN_A_BATCH = 2**17
SECOND_LOOKS = 16
TABLES_OF_PAIRS = 2
"""Bytes for each pair of sub-pixels, while it is found out what the architecture promises."""


class Site(NamedTuple):
    """A sub-pixel: indices into `[C, H, W]`."""

    channel: int
    row: int
    column: int


Pair = tuple[Site, Site]


@dataclass(frozen=True)
class CausalityReport:
    """What `check_causality` found; printed, it reads as text.

    Attributes:
        leaks: pairs (output, input) where the output depends on an input that does not come before it.
        blind: pairs (output, input) where the architecture promises the dependence and there is none.
        mixes_images: whether an image's outputs depend on another image of the batch.
        ignored: names of conditions on which the outputs do not depend.
        outputs: number of output sub-pixels checked.
        sub_pixels: number of sub-pixels of an image.
        seen: part of the earlier sub-pixels that an output depends on, averaged over the outputs that have any.
        promised: the same for what the architecture promises.
    """

    leaks: list[Pair] = field(repr=False)
    blind: list[Pair] = field(repr=False)
    mixes_images: bool
    ignored: list[str]
    outputs: int
    sub_pixels: int
    seen: float
    promised: float

    @property
    def ok(self) -> bool:
        """No leak, no blind spot beyond what the architecture says of itself, images by themselves, conditions used."""
        return not (self.leaks or self.blind or self.mixes_images or self.ignored)

    def __str__(self) -> str:
        lines = [
            f"causality {'holds' if self.ok else 'FAILS'}: {self.outputs:,} of {self.sub_pixels:,} outputs checked "
            "against every input, in training and evaluation mode"
        ]
        lines += _listed(self.leaks, "leak", "depends on {}, which does not come before it")
        lines += _listed(self.blind, "blind spot", "does not depend on {}, which it should see")
        if self.mixes_images:
            lines.append("images of a batch influence each other, so pairs above may also come from another image")
        lines += [f"the outputs do not depend on the condition {name!r}" for name in self.ignored]
        seen, promised = f"{self.seen:.1%}", f"{self.promised:.1%}"
        beyond = self.seen > self.promised and seen != promised
        rest = "" if beyond or self.promised == 1 else "; the rest is out of the architecture's reach"
        lines.append(
            f"context: an output depends on {seen} of what comes before it; "
            f"the architecture promises {'at least ' if beyond else ''}{promised}{rest}"
        )
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        title, *lines = str(self).split("\n")
        return facts_table(title, [("", line) for line in lines])


def check_causality(
    model: ImageModel,
    *,
    outputs: int | None = None,
    seed: int = 0,
    advance: Advance | None = None,
) -> CausalityReport:
    """Check by gradients what each sub-pixel's distribution depends on.

    The model is not changed; a copy is examined.

    Args:
        model: any model, trained or not.
        outputs: check so many output sub-pixels, the first, the last and others at random; None checks all. The
            cost is two forward and backward passes of an image for each.
        seed: of the random images and combinations.
        advance: called with the number of outputs done; they add up to twice the number checked (two modes).

    Returns:
        A report with `ok`, `leaks` and `blind`.

    Raises:
        InputError: `outputs` is less than 1, the model is none, or its images are too large for this machine's memory.
        ModelError: its weights are not finite numbers.
    """
    check_finite(model)
    total = math.prod(model.image_shape)
    _check_room(model.image_shape)
    if outputs is not None:
        outputs = integer("outputs", outputs, 1, error=InputError)
    generator = torch.Generator().manual_seed(seed)
    chosen = _choose(total, outputs, generator)
    rank = model.order.flatten()
    past = rank[None, :] < rank[chosen][:, None]
    promised = model.receptive_field()[chosen]
    examined = copy.deepcopy(model)
    leaks, blind = torch.zeros_like(past), torch.zeros_like(past)
    seen = torch.zeros_like(past)
    mixes = False
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        for training in (True, False):
            examined.train(training)
            depends = _dependence(examined.float(), chosen, generator, advance)
            wrong = ((depends & ~past) | (promised & ~depends)).any(dim=1).nonzero()[:, 0]
            examined.double()
            mixes |= _mixes_images(examined, generator)
            depends[wrong] = False
            for _ in range(SECOND_LOOKS):
                depends[wrong] |= _dependence(examined, chosen[wrong], generator)
                wrong = wrong[(promised & ~depends)[wrong].any(dim=1)]
            leaks |= depends & ~past
            blind |= promised & ~depends
            seen |= depends
    has_past = past.any(dim=1)
    parts = [(pairs & past).sum(1)[has_past] / past.sum(1)[has_past] for pairs in (seen, promised)]
    return CausalityReport(
        leaks=_pairs(leaks, chosen, model.image_shape),
        blind=_pairs(blind, chosen, model.image_shape),
        mixes_images=mixes,
        ignored=_ignored(examined, generator),
        outputs=len(chosen),
        sub_pixels=total,
        seen=float(parts[0].mean()) if has_past.any() else 1.0,
        promised=float(parts[1].mean()) if has_past.any() else 1.0,
    )


def _check_room(image_shape: tuple[int, int, int]) -> None:
    """Refuse images of which a table of all pairs of sub-pixels does not fit into the memory.

    Raises:
        InputError: they are such.
    """
    total = math.prod(image_shape)
    needed, available = TABLES_OF_PAIRS * total**2, psutil.virtual_memory().available
    if needed > available:
        raise InputError(
            f"to look at which of the {total:,} sub-pixels of images of {' x '.join(map(str, image_shape))} sees which "
            f"takes {needed / 1e9:,.0f} GB, and there are {available / 1e9:,.0f}: check a model of the same family and "
            "options whose images are smaller"
        )


def observed_receptive_field(
    model: ImageModel,
    output: Site,
    *,
    seed: int = 0,
    advance: Advance | None = None,
    watch: Callable[[Tensor], None] | None = None,
) -> Tensor:
    """What one output sub-pixel's distribution depends on, by gradients in evaluation mode and float64.

    Args:
        model: any model, trained or not; it is not changed.
        output: the sub-pixel.
        seed: of the random images and combinations.
        advance: called with numbers of images done, `SECOND_LOOKS` in all.
        watch: called after each image with what is known to be seen so far, bool `[C, H, W]`.

    Returns:
        Bool `[C, H, W]`.

    Raises:
        InputError: the image has no such sub-pixel.
        ModelError: the model's weights are not finite numbers.
    """
    _, height, width = model.image_shape
    site = tuple(output)
    if len(site) != 3 or not all(at in range(size) for at, size in zip(site, model.image_shape, strict=True)):
        raise InputError(f"an image of {model.image_shape} has no sub-pixel {site}")
    chosen = torch.tensor([(output[0] * height + output[1]) * width + output[2]])
    seen = torch.zeros(model.image_shape, dtype=torch.bool)
    for so_far in _looks(model, chosen, SECOND_LOOKS, seed, advance):
        seen = so_far.view(model.image_shape)
        if watch is not None:
            watch(seen)
    return seen


def observed_receptive_fields(
    model: ImageModel, *, looks: int = SECOND_LOOKS, seed: int = 0, advance: Advance | None = None
) -> Tensor:
    """What every sub-pixel's distribution depends on, as `observed_receptive_field` finds it for one.

    Args:
        model: any model of small images, trained or not; it is not changed.
        looks: random images that gradients are taken at.
        seed: of the random images and combinations.
        advance: called with numbers of images done, `looks` for each sub-pixel.

    Returns:
        Bool `[C*H*W, C*H*W]`, as `model.receptive_field()` has it.

    Raises:
        InputError: a table of all pairs of sub-pixels does not fit into the memory.
        ModelError: the model's weights are not finite numbers.
    """
    _check_room(model.image_shape)
    *_, seen = _looks(model, torch.arange(math.prod(model.image_shape)), looks, seed, advance)
    return seen


def _looks(model: ImageModel, chosen: Tensor, count: int, seed: int, advance: Advance | None) -> Iterator[Tensor]:
    """What the chosen outputs are known to depend on after each look, bool `[len(chosen), C*H*W]`."""
    check_finite(model)
    examined = copy.deepcopy(model).double().eval()
    generator = torch.Generator().manual_seed(seed)
    seen = torch.zeros(len(chosen), math.prod(model.image_shape), dtype=torch.bool)
    for _ in range(count):
        seen = seen | _dependence(examined, chosen, generator, advance)
        yield seen


def stepwise_difference(model: ImageModel, *, count: int = 2, seed: int = 0, advance: Advance | None = None) -> float:
    """Draw images step by step and compare the log-probabilities of the draws with those of one parallel pass.

    Every engine that takes steps of the model draws.

    Args:
        model: the model.
        count: number of images.
        seed: of the draws.
        advance: called with numbers of sub-pixels done, which add up to `count * C * H * W`.

    Returns:
        The largest absolute difference over all sub-pixels, in nats.
    """
    blank = torch.zeros((count, *model.image_shape), dtype=torch.uint8, device=model.device)
    generator = torch.Generator().manual_seed(seed)
    condition = model.random_condition(count, generator)
    unknown = torch.zeros_like(blank, dtype=torch.bool)
    engines = _engines(model)
    advance = scaled(advance, 1, len(engines))
    differences = []
    for engine in engines:
        with only(engine):
            drawn = walk(model, blank, unknown, condition, generator=generator, advance=advance)
        with evaluating(model), torch.no_grad():
            predicted = model.predict(drawn.images, model.context_of(condition))
            parallel = model.distribution.log_prob(predicted, drawn.images)
        differences.append((parallel - drawn.log_prob_map).abs().max())
    return float(torch.stack(differences).max())


def _engines(model: ImageModel) -> list[Engine]:
    """The engines that take steps of a model."""
    if model.device.type == "cuda":
        return ["pytorch", "captured"]
    lowers = any(isinstance(part, RasterModel) and part.lowers for part in model.modules())
    return ["pytorch", "compiled"] if lowers and kernel() is not None else ["pytorch"]


def _choose(total: int, outputs: int | None, generator: torch.Generator) -> Tensor:
    """Flat indices of the outputs to check, in ascending order."""
    if outputs is None or outputs >= total:
        return torch.arange(total)
    inner = torch.randperm(max(0, total - 2), generator=generator)[: max(0, outputs - 2)] + 1
    return torch.cat([torch.tensor([0, total - 1])[:outputs], inner]).sort().values


def _random_inputs(model: ImageModel, count: int, generator: torch.Generator) -> tuple[Tensor, Context | None]:
    """Images and the context of conditions, any that fit."""
    images = torch.randint(model.levels, (count, *model.image_shape), generator=generator)
    context = model.context_of(model.random_condition(count, generator))
    return model.normalised(images.to(model.device)).requires_grad_(), context


def _dependence(
    model: ImageModel,
    outputs: Tensor,
    generator: torch.Generator,
    advance: Advance | None = None,
) -> Tensor:
    """Which inputs each output depends on: bool `[len(outputs), C*H*W]`."""
    rows = [torch.zeros(0, math.prod(model.image_shape), dtype=torch.bool)]
    # At least two images at once, as statistics over a batch may not exist for one.
    size = max(2, min(64, FLOATS_IN_A_BATCH // math.prod(model.image_shape)))
    for part in (outputs[rows_of_part] for rows_of_part in batches(len(outputs), size)):
        inputs, context = _random_inputs(model, max(2, len(part)), generator)
        parameters = model.parameters_of(inputs, context).flatten(2)
        # Image b of the batch stands for output part[b], so that one backward pass serves them all.
        chosen = parameters[torch.arange(len(part)), :, part]
        weights = torch.randn(chosen.shape, generator=generator).to(chosen)
        rows.append(_gradient((chosen * weights).sum(), inputs).flatten(1)[: len(part)].cpu() != 0)
        if advance is not None:
            advance(len(part))
    return torch.cat(rows)


def _mixes_images(model: ImageModel, generator: torch.Generator) -> bool:
    """Whether the outputs of an image of a batch depend on another one, be it before or after it."""
    inputs, context = _random_inputs(model, 2, generator)
    parameters = model.parameters_of(inputs, context)
    weights = torch.randn(parameters.shape, generator=generator).to(parameters)
    gradients = [
        _gradient((parameters[half] * weights[half]).sum(), inputs, retain_graph=True)[other]
        for half, other in ((0, 1), (1, 0))
    ]
    return any(bool(gradient.any()) for gradient in gradients)


def _ignored(model: ImageModel, generator: torch.Generator) -> list[str]:
    """Names of conditions that nothing in the outputs depends on."""
    inputs, context = _random_inputs(model, 2, generator)
    if context is None or model.conditioning is None:
        return []
    # Cut from what made it, so that its gradient can be asked for.
    context = Context(*(part if part is None else part.detach().requires_grad_() for part in context))
    parameters = model.parameters_of(inputs, context)
    weights = torch.randn(parameters.shape, generator=generator).to(parameters)
    ignored = []
    for part, channels in zip(context, model.conditioning.parts, strict=True):
        if part is not None:
            gradient = _gradient((parameters * weights).sum(), part, retain_graph=True)
            pieces = torch.split_with_sizes(gradient, list(channels.values()), dim=1)
            ignored += [name for name, piece in zip(channels, pieces, strict=True) if not piece.any()]
    return ignored


def _gradient(scalar: Tensor, inputs: Tensor, *, retain_graph: bool = False) -> Tensor:
    """The gradient; zero where nothing connects the two."""
    if not scalar.requires_grad:
        return torch.zeros_like(inputs)
    gradient = torch.autograd.grad(scalar, inputs, allow_unused=True, retain_graph=retain_graph)[0]
    return torch.zeros_like(inputs) if gradient is None else gradient


def _pairs(pairs: Tensor, outputs: Tensor, shape: Sequence[int]) -> list[Pair]:
    def site(flat: int) -> Site:
        _, height, width = shape
        return Site(flat // (height * width), flat // width % height, flat % width)

    return [(site(int(outputs[row])), site(column)) for row, column in pairs.nonzero().tolist()]


def _listed(pairs: list[Pair], what: str, sentence: str) -> list[str]:
    """A heading and the first few pairs as lines."""
    if not pairs:
        return []
    lines = [f"{len(pairs):,} {what}{'s' if len(pairs) > 1 else ''} (channel, row, column):"]
    for output, source in pairs[:PAIRS_IN_A_REPORT]:
        lines.append(f"  output {tuple(output)} {sentence.format(tuple(source))}")
    if len(pairs) > PAIRS_IN_A_REPORT:
        lines.append(f"  and {len(pairs) - PAIRS_IN_A_REPORT:,} more")
    return lines

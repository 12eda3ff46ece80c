"""Completing where known pixels come after unknown ones, by importance resampling.

A walk cannot look ahead: an unknown pixel is drawn given the known ones before it, and those after it are only kept. So
what it draws follows

    q(u) = prod over unknown t of p(x_t | x_<t)        instead of        p(u | known), proportional to prod over all t

Several candidates u are drawn from q, and one of them is chosen with probability proportional to p / q, which is the
probability of the known sub-pixels given all before them. As the number of candidates grows, the choice becomes a draw
from p(u | known); with few candidates, none of which fits what comes later, it is the least bad of them. The effective
number, (sum w)^2 / sum w^2, tells how many candidates had a say: near 1 the result is a guess, for want of better ones.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from nextpixel.errors import InputError
from nextpixel.generation.model import GenerativeModel
from nextpixel.generation.walk import walk
from nextpixel.nn.distributions import AS_IT_IS, SamplingParams
from nextpixel.runtime.batching import batches
from nextpixel.runtime.precision import evaluating
from nextpixel.runtime.progress import Advance
from nextpixel.runtime.validation import integer


class Chosen(NamedTuple):
    """The candidates that were chosen.

    Attributes:
        images: uint8 `[B, C, H, W]`.
        effective: effective number of candidates for each image, `[B]`, from 1 to their number.
    """

    images: Tensor
    effective: Tensor


@torch.no_grad()
def choose_candidates(
    model: GenerativeModel,
    images: Tensor,
    known: Tensor,
    condition: dict[str, Tensor],
    candidates: int,
    *,
    sampling: SamplingParams = AS_IT_IS,
    generator: torch.Generator | None = None,
    advance: Advance | None = None,
) -> Chosen:
    """Complete images by importance resampling.

    Args:
        model: the model.
        images: integers `[B, C, H, W]` on the model's device.
        known: bool `[B, C, H, W]`.
        condition: values of the model's conditions by name, each `[B, ...]`.
        candidates: how many are drawn for each image, at least 1.
        sampling: how levels are drawn; where it is not the model's own distribution, q above is not quite what is
            drawn.
        generator: CPU generator of the draws.
        advance: called with numbers of sub-pixels done, which add up to `B * candidates * C * H * W`.

    Raises:
        InputError: the number is less than 1.
    """
    candidates = integer("candidates", candidates, 1, error=InputError)
    if candidates > 1 and model.completes_from_anything:
        raise InputError(
            "this model draws what is unknown given all that is known, so that candidates are of no use; leave them out"
        )
    size = max(1, model.images_at_once // candidates)
    draws = _Draws(candidates, sampling, generator, advance)
    parts = [
        _choose(model, images[part], known[part], {name: values[part] for name, values in condition.items()}, draws)
        for part in batches(len(images), size)
    ]
    if not parts:
        return Chosen(images.to(torch.uint8), torch.ones(0, dtype=torch.float64))
    return Chosen(*(torch.cat(pieces) for pieces in zip(*parts, strict=True)))


class _Draws(NamedTuple):
    candidates: int
    sampling: SamplingParams
    generator: torch.Generator | None
    advance: Advance | None


def _choose(
    model: GenerativeModel, images: Tensor, known: Tensor, condition: dict[str, Tensor], draws: _Draws
) -> Chosen:
    """Complete a few images."""
    count, candidates = len(images), draws.candidates
    # Image by image, so that an image does not depend on how many are completed with it.
    numbers = torch.rand(count, candidates * images[0].numel() + 1, generator=draws.generator, dtype=torch.float64)
    repeated = {name: values.repeat_interleave(candidates, dim=0) for name, values in condition.items()}
    many = known.repeat_interleave(candidates, dim=0)
    drawn = walk(
        model,
        images.repeat_interleave(candidates, dim=0),
        many,
        repeated,
        sampling=draws.sampling,
        uniforms=numbers[:, :-1].reshape(-1, *images.shape[1:]),
        advance=draws.advance,
    ).images
    weights = []
    with evaluating(model):
        for part in batches(len(drawn), model.images_at_once):
            context = model.context_of({name: values[part] for name, values in repeated.items()})
            nats = model.distribution.log_prob(model.predict(drawn[part], context), drawn[part])
            weights.append(nats.where(many[part], 0).flatten(1).sum(dim=1).double())
    shares = torch.cat(weights).view(count, candidates).softmax(dim=1)
    targets = numbers[:, -1:].to(shares.device) * shares.sum(dim=1, keepdim=True)
    chosen = torch.searchsorted(shares.cumsum(dim=1), targets, right=True)[:, 0].clamp(max=candidates - 1)
    rows = torch.arange(count, device=drawn.device)
    return Chosen(drawn.view(count, candidates, *drawn.shape[1:])[rows, chosen], 1 / (shares**2).sum(dim=1))

"""The log-probability of pixels by a logistic mixture in local units, with a backward pass written by hand.

It is what `nextpixel.nn.logistic_mixture` says of parameters in values, for the numbers of a network that are in the
units of a neighbourhood (`nextpixel.nn.local_units`). Autograd would make the parameters of all colours anew for each
colour, and pass over tensors of a few numbers a component some hundred times, which costs a local model as much as its
layers. Here the derivatives are made along with the log-probabilities, as long as all that they need is at hand.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor
from torch.autograd.function import FunctionCtx

from nextpixel.nn.half import widened
from nextpixel.nn.local_units import LocalUnits
from nextpixel.nn.logistic_mixture import LARGEST_SCALE, SMALLEST_SCALE, LogisticMixture

LOG_SCALES = math.log(SMALLEST_SCALE), math.log(LARGEST_SCALE)


def log_prob_in_units(outputs: Tensor, units: LocalUnits, values: Tensor, mixture: LogisticMixture) -> Tensor:
    """Log-probabilities of the colours of pixels.

    Args:
        outputs: `[N, (3 C + C (C - 1) / 2) K]`: of K components the logits, means and scales of each colour, then the
            coefficients of each pair of a colour and an earlier one; half precision is widened.
        units: of the pixels, `[N, C]` each.
        values: integers `[N, C]` in 0..levels-1.
        mixture: how many levels, and components.

    Returns:
        Nats of each colour given the earlier ones, `[N, C]`, float32 or wider.
    """
    apply: Callable[..., Tensor] = _LogProb.apply
    return apply(outputs, units.mean, units.deviation, values, mixture)


class _Memory(FunctionCtx):
    needs_input_grad: tuple[bool, ...]
    saved_tensors: tuple[Tensor, ...]


class _LogProb(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: _Memory, outputs: Tensor, mean: Tensor, deviation: Tensor, values: Tensor, mixture: LogisticMixture
    ) -> Tensor:
        channels, levels, uniform = mixture.channels, mixture.levels, mixture.uniform
        pairs = [(colour, before) for colour in range(channels) for before in range(colour)]
        # The pixels go last, as loops over a few components take their time. All of it in levels: [parts, K, N], and
        # [C, 1, N] of what all components share.
        wide = widened(outputs).t().contiguous()
        parts = wide.view(3 * channels + len(pairs), mixture.components, -1)
        logits, means, scales = (parts[first : first + channels] for first in range(0, 3 * channels, channels))
        coefficients = parts[3 * channels :]
        above, unit = (value.to(wide).t().contiguous()[:, None] for value in (values - mean, deviation))
        from_mean = above - unit * means
        for pair, (colour, before) in enumerate(pairs):
            from_mean[colour].addcmul_(coefficients[pair], above[before], value=-1)
        log_scale = scales + unit.log()
        inverse = log_scale.clamp(*LOG_SCALES).neg_().exp_()
        # Measured from the nearer tail, where differences of the logistic function keep their digits; the lowest and
        # the highest level take a whole tail.
        lowest, highest = (values.t()[:, None] == level for level in (0, levels - 1))
        tail = from_mean.sign().neg_().masked_fill_(lowest, 1.0).masked_fill_(highest, -1.0)
        distance = from_mean * tail
        upper, lower = (distance + 0.5).mul_(inverse), (distance - 0.5).mul_(inverse)
        to_upper, to_lower = upper.sigmoid(), lower.sigmoid().masked_fill_(lowest | highest, 0.0)
        mass, weights = to_upper - to_lower, logits.softmax(dim=1)
        total = (weights * mass).sum(dim=1, keepdim=True)
        probability = total * (1 - uniform) + uniform / levels
        if ctx.needs_input_grad[0]:
            shares = weights * ((1 - uniform) / probability)
            at_upper, at_lower = to_upper * (1 - to_upper), to_lower * (1 - to_lower)
            inside = (log_scale >= LOG_SCALES[0]) & (log_scale <= LOG_SCALES[1])
            derivatives = torch.empty_like(parts)
            torch.mul(shares, mass - total, out=derivatives[:channels])
            of_mean = (at_lower - at_upper).mul_(inverse).mul_(tail).mul_(shares)
            torch.mul(of_mean, unit, out=derivatives[channels : 2 * channels])
            of_scale = (at_lower * lower).addcmul_(at_upper, upper, value=-1).mul_(shares)
            torch.mul(of_scale, inside, out=derivatives[2 * channels : 3 * channels])
            for pair, (colour, before) in enumerate(pairs, 3 * channels):
                torch.mul(of_mean[colour], above[before], out=derivatives[pair])
            colours = [*range(channels)] * 3 + [colour for colour, _ in pairs]
            ctx.save_for_backward(derivatives, torch.tensor(colours, device=outputs.device), outputs[:0])
        return probability[:, 0].t().log()

    @staticmethod
    def backward(ctx: _Memory, grad: Tensor) -> tuple[Tensor | None, ...]:
        if torch.is_grad_enabled():
            raise RuntimeError("log_prob_in_units has no second derivative: do not ask for it by create_graph=True")
        derivatives, colours, outputs = ctx.saved_tensors
        d_outputs = (derivatives * grad.t()[colours, None]).flatten(0, 1).t().to(outputs.dtype)
        return d_outputs, None, None, None, None

"""Drawing by wavefronts: of a model with a local window, all pixels whose windows are known are drawn at once."""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor

from nextpixel.generation.canvas import Canvas
from nextpixel.nn.conditioning import Context
from nextpixel.nn.distributions import Distribution, draw
from nextpixel.nn.local_window import LocalWindow


class LocalNetwork(Protocol):
    """What is asked of a model; see `nextpixel.families.local_pixelcnn`."""

    distribution: Distribution
    beyond: int
    half_range: float

    def parameters_at(self, windows: Tensor, context: Context | None) -> Tensor:
        """The parameters of the distributions at some pixels."""


def walk_by_fronts(model: LocalNetwork, window: LocalWindow, canvas: Canvas, context: Context | None) -> None:
    """Fill the canvas, wavefront by wavefront.

    Args:
        model: the network.
        window: what it sees of an image.
        canvas: what is known, and where the draws go.
        context: what the layers see of the conditions; None without.
    """
    batch, colours, height, width = canvas.images.shape
    device, dtype = canvas.nats.device, canvas.nats.dtype
    sources = torch.from_numpy(window.sources(height, width))
    stride = sources.shape[1]
    around = torch.tensor([down * stride + right for down, right in window.offsets])
    fronts = torch.from_numpy(window.front(height, width)).flatten()
    order = fronts.argsort(stable=True)
    known = canvas.known.flatten(2)
    needed = ~known.all(dim=1).all(dim=0).cpu()
    # As the network takes them, so that both computations see the same numbers.
    inputs = canvas.normalised(canvas.images).flatten(2)
    beyond = torch.full((batch, colours, 1), model.beyond, device=device, dtype=dtype)
    values = torch.cat([(inputs + 1) * model.half_range, beyond], dim=2).transpose(1, 2).contiguous()
    images, nats, uniforms = canvas.images.flatten(2), canvas.nats.flatten(2), canvas.uniforms.flatten(2)
    for pixels in torch.split(order, fronts.bincount().tolist()):
        wanted = pixels[needed[pixels]]
        if len(wanted):
            rows, columns = wanted // width, wanted % width
            places = (rows + window.reach) * stride + columns + window.reach
            seen = sources.flatten()[places[:, None] + around].to(device)
            part = context
            if part is not None and part.places is not None:
                part = part._replace(places=part.places.flatten(2)[:, :, wanted, None])
            parameters = model.parameters_at(values[:, seen], part).permute(0, 3, 1, 2)
            earlier: list[Tensor] = []
            for colour in range(colours):
                logits = model.distribution.logits(model.distribution.coupled(parameters[..., colour], earlier, colour))
                flat = logits.transpose(1, 2).flatten(0, 1)
                drawn = draw(flat, uniforms[:, colour, wanted].flatten(), canvas.sampling).view(batch, -1)
                is_known = known[:, colour, wanted]
                levels = torch.where(is_known, images[:, colour, wanted].long(), drawn)
                chosen = levels.clamp(max=logits.shape[1] - 1)[:, None]
                shares = logits.log_softmax(dim=1).gather(1, chosen)[:, 0]
                images[:, colour, wanted] = levels.to(torch.uint8)
                nats[:, colour, wanted] = shares.masked_fill(is_known, 0).to(dtype)
                earlier.append(canvas.normalised(levels))
                values[:, wanted, colour] = (earlier[-1] + 1) * model.half_range
        canvas.done(len(pixels) * colours)
        canvas.row_done()
    canvas.images.copy_(images.view_as(canvas.images))
    canvas.nats.copy_(nats.view_as(canvas.nats))

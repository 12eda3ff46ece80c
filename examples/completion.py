"""Completing images: the unknown part is drawn given the known one, several times, and each drawing is an exact draw.

A model that comes along has learned scikit-learn's digits; those completed here were held out. Where the known pixels
come first in the model's order (the upper half), every completion is an exact draw. For any other mask (here a square
hole) `candidates` draws several and keeps one by how well what comes later fits, which is exact only as they grow many.

    .venv/bin/python examples/completion.py
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch

import nextpixel as nx

UNKNOWN = 6
"""The grey that unknown pixels are shown in."""


def main() -> None:
    """Complete upper halves and holes, and show them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="nextpixel/digits-gated", help="a model of digits")
    parser.add_argument("--images", type=int, default=8, help="how many digits")
    parser.add_argument("--draws", type=int, default=6, help="completions of each")
    parser.add_argument("--candidates", type=int, default=16, help="for the holes")
    parser.add_argument("--out", type=Path, default=Path("runs/completion"))
    arguments = parser.parse_args()

    model = nx.load(arguments.model)
    images = nx.open_images("digits", split="test")[: arguments.images]
    top = torch.arange(8)[:, None].expand(8, 8) < 4
    around = torch.ones(8, 8, dtype=torch.bool)
    around[2:6, 2:6] = False
    pictures = {}
    for title, known, candidates in (("upper half known", top, 1), ("a hole", around, arguments.candidates)):
        repeated = images.repeat_interleave(arguments.draws, dim=0)
        generator = torch.Generator().manual_seed(0)
        drawn = model.complete(repeated, known, candidates=candidates, generator=generator)
        assert torch.equal(drawn[..., known], repeated[..., known])
        nats = -model.log_prob(drawn).detach()
        print(f"{title}: completed digits have {nats.mean():.1f} nats, the digits themselves ", end="")
        print(f"{-model.log_prob(images).detach().mean():.1f}")
        masked = torch.where(known, images, UNKNOWN)
        rows = torch.cat(
            [images[:, None], masked[:, None], drawn.view(len(images), arguments.draws, *images.shape[1:])], dim=1
        )
        pictures[title] = nx.show(rows.flatten(0, 1), model.levels, columns=arguments.draws + 2, scale=6)
    picture = arguments.out / "completions.png"
    arguments.out.mkdir(parents=True, exist_ok=True)
    nx.show(pictures).save(picture)
    print(f"the digit, what is known of it, and {arguments.draws} completions: {picture}")


if __name__ == "__main__":
    main()

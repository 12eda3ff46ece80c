"""`nextpixel sample`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from nextpixel.errors import InputError

if TYPE_CHECKING:
    import torch


def sample(
    run: Path,
    *,
    out: Path,
    count: int = 64,
    temperature: float = 1.0,
    seed: int | None = None,
    columns: int | None = None,
    scale: int | None = None,
) -> None:
    """Generate images.

    Args:
        run: Run or model folder.
        out: A picture of all images (.png, .webp, ...), an array (.npz), or, without an ending, a folder of PNG files.
        count: How many images.
        temperature: 1 draws from the model, less is tamer, 0 takes the most probable level of every sub-pixel.
        seed: Seed of the draws; the same seed gives the same images.
        columns: Images a row of the picture.
        scale: Enlargement of the picture, by repeating pixels.
    """
    import math

    from nextpixel.cli.options import load_model
    from nextpixel.cli.output import bar
    from nextpixel.pictures.output import check_destination, write_images

    check_destination(out, columns=columns, scale=scale)
    model = load_model(run)
    with bar("sampling", count * math.prod(model.image_shape)) as advance:
        images = model.sample(count, temperature=temperature, generator=seeded(seed), advance=advance)
    write_images(images, model.levels, out, columns=columns, scale=scale)
    print(f"{count} images: {out}")


def seeded(seed: int | None) -> torch.Generator:
    """A generator with the given seed, or with one from the operating system."""
    import torch

    generator = torch.Generator()
    if seed is None:
        generator.seed()
    else:
        if not 0 <= seed < 2**63:
            raise InputError(f"--seed must be from 0 to 2**63 - 1, not {seed}")
        generator.manual_seed(seed)
    return generator

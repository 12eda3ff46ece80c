"""`nextpixel reconstruct`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from nextpixel.cli.destinations import Force
from nextpixel.cli.options import DataOptions, load_model, open_for
from nextpixel.errors import InputError

if TYPE_CHECKING:
    from nextpixel.families.autoencoder import Autoencoder


def reconstruct(
    run: Path,
    source: str,
    *,
    out: Path,
    count: int = 4,
    limit: int = 10,
    split: str | None = None,
    temperature: float = 1.0,
    seed: int | None = None,
    images: DataOptions = DataOptions(),
    force: Force = Force(),
) -> None:
    """Encode images with an autoencoder, and draw them again from their codes.

    Writes one picture, a row for each image: the original, several draws of the PixelCNN autoencoder, and, where it
    was trained beside it, what an autoencoder by squared error makes of it. Prints how sharp both are: their gradient
    energy, the mean squared difference of neighbouring pixels, relative to the originals'.

    Args:
        run: Run or model folder of an autoencoder.
        source: Images; see `nextpixel --help`.
        out: The picture (.png, .webp, ...).
        count: Reconstructions of each image.
        limit: Take this many images, the first ones.
        split: train, valid or test; by default all.
        temperature: 1 draws from the model, less gives more typical images.
        seed: Seed of the draws.
        images: How images are read.
        force: What may be replaced.
    """
    import math

    import torch

    from nextpixel.cli.output import progress, say
    from nextpixel.cli.sample import seeded
    from nextpixel.rendering.grid import grid, picture_format, save_picture, spread
    from nextpixel.scoring.sharpness import gradient_energy

    if count < 1 or limit < 1:
        raise InputError(f"--count and --limit must be at least 1, not {count} and {limit}")
    picture_format(out)
    force.check_file(out, (source,))
    model = load_autoencoder(run)
    opened = open_for(model, source, images, split)
    originals = opened[: min(limit, len(opened))]
    with torch.no_grad():
        codes = model.encode(originals)
        plain = None if model.plain is None else model.reconstruct_plainly(originals).cpu()
    total = len(originals) * count
    with progress.task("reconstructing", total * math.prod(model.image_shape)) as advance:
        drawn = model.sample(
            total,
            codes.repeat_interleave(count, dim=0),
            temperature=temperature,
            generator=seeded(seed),
            advance=advance,
        ).cpu()
    parts = [originals[:, None], drawn.view(len(originals), count, *model.image_shape)]
    titles = f"original, {count} draws"
    energy = gradient_energy(originals, model.levels)
    lines = {"PixelCNN autoencoder": gradient_energy(drawn, model.levels)}
    if plain is not None:
        parts.append(plain[:, None])
        titles += ", squared error"
        lines["squared error"] = gradient_energy(plain, model.levels)
    rows = torch.cat([spread(part, model.levels) for part in parts], dim=1)
    save_picture(grid(rows.flatten(0, 1), 256, columns=rows.shape[1]), out, mark=True)
    say(f"{len(originals)} images ({titles}): {out}")
    if energy > 0:
        for name, sharpness in lines.items():
            say(f"gradient energy relative to the originals, {name}: {sharpness / energy:.3f}")


def load_autoencoder(run: Path) -> Autoencoder:
    """Load a model that has to be an autoencoder.

    Raises:
        InputError: it is of another family.
    """
    from nextpixel.families.autoencoder import Autoencoder

    model = load_model(run)
    if not isinstance(model, Autoencoder):
        raise InputError(f"{run} holds a {model.family}, which has no codes; train one with --model autoencoder")
    return model

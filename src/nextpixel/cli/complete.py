"""`nextpixel complete`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from nextpixel.cli.conditions import ConditionOptions
from nextpixel.cli.destinations import Force, check_outside
from nextpixel.cli.options import DataOptions, load_model, open_for
from nextpixel.errors import InputError
from nextpixel.runtime.quoting import short_name

if TYPE_CHECKING:
    import torch

    from nextpixel.data import ImageSet
    from nextpixel.families.base import ImageModel

UNKNOWN_GREY = 96


def complete(
    run: Path,
    source: str,
    *,
    known: str,
    out: Path,
    count: int = 4,
    limit: int = 16,
    split: str | None = None,
    candidates: int = 1,
    temperature: float = 1.0,
    top_k: int | None = None,
    top_p: float | None = None,
    seed: int | None = None,
    vectors: Path | None = None,
    condition: ConditionOptions = ConditionOptions(),
    images: DataOptions = DataOptions(),
    force: Force = Force(),
) -> None:
    """Draw the unknown part of images, given the known part.

    Writes one PNG for each completion and completions.png, which shows, a row for each image: the original, the known
    part, and the completions. Exact where all unknown pixels come after the known ones in the model's order (raster
    order: `top`; models trained with --order begin at another side; a locally-masked begins with whatever is known). A
    known pixel further down is kept, but could not
    influence what was drawn before it; with --candidates it does, approximately.

    Args:
        run: Run or model folder.
        source: Images; see `nextpixel --help`.
        known: top, bottom, left or right for that half, or a picture: white is known, black is to be drawn.
        out: Folder for the pictures.
        count: Completions of each image.
        limit: Complete this many images, the first ones.
        split: train, valid or test; by default all.
        candidates: Draw this many completions for each one that is kept, and choose by how well the known pixels fit;
            the more, the closer to a draw given all known pixels.
        temperature: 1 draws from the model, less gives more typical images.
        top_k: Draw every sub-pixel from only this many of its most probable levels.
        top_p: Draw every sub-pixel from the smallest set of most probable levels that has this probability together.
        seed: Seed of the draws.
        vectors: File of the images' vectors, for a model conditioned on vectors; see `nextpixel train --help`.
        condition: Instead of the labels or vectors of the images, one label or vector for all of them.
        images: How images are read.
        force: What may be replaced.
    """
    import math

    import torch

    from nextpixel.cli.output import progress, say, warn
    from nextpixel.cli.sample import seeded
    from nextpixel.generation.candidates import choose_candidates
    from nextpixel.generation.known import known_mask, known_too_late
    from nextpixel.nn.distributions import SamplingParams
    from nextpixel.rendering.grid import grid, save_picture, spread, to_pil
    from nextpixel.runtime.counted import counted

    model = load_model(run)
    if count < 1 or limit < 1:
        raise InputError(f"--count and --limit must be at least 1, not {count} and {limit}")
    mask = known_mask(known, *model.image_shape[1:])
    opened = open_for(model, source, images, split, vectors=vectors, own_condition=not condition.are_given)
    originals = opened[: min(limit, len(opened))]
    check_outside(out, (source, known))
    names = [f"{stem}-{which}.png" for stem in _stems(opened.names, len(originals)) for which in range(count)]
    for name in ("completions.png", *names):
        force.check_file(out / name)
    late = 0 if model.completes_from_anything else known_too_late(mask, model.order)
    if late and candidates == 1:
        warn(
            f"{late} of {int(mask.sum())} known pixels come after unknown ones: they are kept, but cannot guide them; "
            "draw several --candidates, or train with --order to begin at the known side"
        )
    values = _condition(model, opened, condition, torch.arange(len(originals)).repeat_interleave(count))
    repeated = originals.repeat_interleave(count, dim=0)
    with progress.task("completing", candidates * len(repeated) * math.prod(model.image_shape)) as advance:
        drawn, effective = choose_candidates(
            model,
            *model.completion_arguments(repeated, mask, values),
            candidates,
            sampling=SamplingParams(temperature, top_k, top_p),
            generator=seeded(seed),
            advance=advance,
        )
    drawn = drawn.cpu()
    shown, drawn_rows = (spread(images_shown, model.levels) for images_shown in (originals, drawn))
    masked = torch.where(mask, shown, UNKNOWN_GREY)
    drawn_rows = drawn_rows.view(len(originals), count, *model.image_shape)
    rows = torch.cat([shown[:, None], masked[:, None], drawn_rows], dim=1)
    save_picture(grid(rows.flatten(0, 1), 256, columns=count + 2), out / "completions.png", mark=True)
    for name, image in zip(names, drawn, strict=True):
        save_picture(to_pil(image, model.levels), out / name, mark=True)
    if late and candidates > 1:
        middle = float(effective.median())
        say(f"of {candidates} candidates, {middle:.1f} had a say (median); near 1, more of them would be better")
    what = f"{counted(len(drawn), 'completion')} of {counted(len(originals), 'image')}"
    say(f"{what}: {out}; all in {out / 'completions.png'}")


def _stems(names: Sequence[str] | None, count: int) -> list[str]:
    """What the files of each image begin with: its name, after its number where names are alike or missing."""
    numbers = [f"{number:04d}" for number in range(count)]
    if names is None:
        return numbers
    stems = [short_name(Path(name).with_suffix("").as_posix().replace("/", "_")) for name in names[:count]]
    if len(set(stems)) < len(stems):
        stems = [f"{number}-{stem}" for number, stem in zip(numbers, stems, strict=True)]
    return stems


def _condition(
    model: ImageModel, images: ImageSet, options: ConditionOptions, chosen: torch.Tensor
) -> dict[str, torch.Tensor] | None:
    """The conditions of the images chosen: as the options say, else the images' own, or their codes."""
    import torch

    if options.are_given:
        return options.one(model)
    if model.condition is not None and not model.needs_condition:
        raise InputError(
            "an autoencoder's code is made of the whole image, the part to be drawn included; give a code by --vector"
        )
    with torch.no_grad():
        return model.conditions_for(model.checked_images(images.batch(chosen)), images.condition_of(chosen)) or None

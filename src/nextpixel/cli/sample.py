"""`nextpixel sample`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from nextpixel.cli.conditions import ConditionOptions
from nextpixel.cli.destinations import Force
from nextpixel.errors import InputError
from nextpixel.runtime.distributed import current

if TYPE_CHECKING:
    from collections.abc import Callable

    import torch

    from nextpixel.families.base import ImageModel

COUNT, COUNT_IN_A_ROW = 64, 10


def sample(
    run: Path,
    *,
    out: Path,
    count: int | None = None,
    temperature: float = 1.0,
    top_k: int | None = None,
    top_p: float | None = None,
    seed: int | None = None,
    columns: int | None = None,
    scale: int | None = None,
    trace: Path | None = None,
    show_scales: Annotated[bool, Parameter(negative="")] = False,
    condition: ConditionOptions = ConditionOptions(),
    force: Force = Force(),
) -> None:
    """Generate images: one picture of all, an array, or a folder of pictures.

    Args:
        run: Run or model folder.
        out: A picture of all images (.png, .webp, ...), an array (.npz), or, without an ending, a folder of PNG files.
        count: Number of images; with several labels or vectors, or with --to, the number in each row. By default 64, or
            10 in each row.
        temperature: 1 draws from the model, less gives more typical images, 0 takes the most probable level of every
            sub-pixel.
        top_k: Draw every sub-pixel from only this many of its most probable levels.
        top_p: Draw every sub-pixel from the smallest set of most probable levels that has this probability together.
        seed: Seed of the draws; the same seed gives the same images.
        columns: Images in a row of the picture.
        scale: Enlargement of the picture, by repeating pixels.
        trace: A .gif or .webp that shows the images appear, row by row.
        show_scales: Show the images of a multiscale model at all its scales beside each other.
        condition: What a conditional model is asked for.
        force: What may be replaced.
    """
    import math

    from nextpixel.cli.options import load_model
    from nextpixel.cli.output import progress, say
    from nextpixel.nn.conditions import Labels, named
    from nextpixel.rendering.animation import check_animation, save_animation
    from nextpixel.rendering.grid import grid, layout
    from nextpixel.rendering.output import check_destination, write_images
    from nextpixel.runtime.counted import counted

    check_destination(out, columns=columns, scale=scale)
    for path in (out, trace):
        if path is not None and path.suffix:
            force.check_file(path, (condition.vector, condition.to))
    if trace is not None:
        check_animation(trace)
    model = load_model(run)
    scales = _scales_of(model, out) if show_scales else None
    alone = condition.to is None and all(len(values) == 1 for values in condition.rows(model, 1).values())
    count = (COUNT if alone else COUNT_IN_A_ROW) if count is None else count
    if count < 1:
        raise InputError(f"--count must be at least 1, not {count}")
    values = condition.rows(model, count)
    total = len(next(iter(values.values()))) if values else count
    if trace is not None and total > model.images_at_once:
        raise InputError(f"--trace shows at most {model.images_at_once} images of this model, not {total}")
    columns = columns or (None if alone else count)
    if out.suffix and out.suffix.lower() != ".npz":
        layout(total, model.image_shape[1:], columns=columns, scale=scale)
    frames: list[torch.Tensor] = []
    with progress.task("sampling", total * math.prod(model.image_shape)) as advance:
        images = model.sample(
            total,
            values or None,
            temperature=temperature,
            top_k=top_k,
            top_p=top_p,
            generator=seeded(seed),
            advance=advance,
            watch=None if trace is None else lambda images: frames.append(images.cpu().clone()),
        ).cpu()
    if trace is not None:
        save_animation([grid(frame, model.levels, columns=columns, scale=scale) for frame in frames], trace)
    if scales is not None:
        _write_scales(scales(images), model.levels, out, columns, scale)
    else:
        classes = [name for name, kind in named(model.condition).items() if isinstance(kind, Labels)]
        labels = values[classes[0]] if classes else None
        write_images(images, model.levels, out, columns=columns, scale=scale, labels=labels)
    say(f"{counted(total, 'image')}: {out}")


def seeded(seed: int | None) -> torch.Generator:
    """A generator with the given seed, or with one from the operating system."""
    import torch

    generator = torch.Generator()
    if seed is None:
        generator.manual_seed(current().from_first(lambda: torch.Generator().seed() >> 1))
    else:
        if not 0 <= seed < 2**63:
            raise InputError(f"--seed must be from 0 to 2**63 - 1, not {seed}")
        generator.manual_seed(seed)
    return generator


def _scales_of(model: ImageModel, out: Path) -> Callable[[torch.Tensor], list[torch.Tensor]]:
    """How a multiscale model's images are divided."""
    from nextpixel.families.multiscale import Multiscale

    if not isinstance(model, Multiscale):
        raise InputError(f"--show-scales needs a multiscale model; this is a {model.family}")
    if not out.suffix or out.suffix == ".npz":
        raise InputError(f"--show-scales makes one picture; end --out {out} with .png")
    return model.scales_of


def _write_scales(scales: list[torch.Tensor], levels: int, out: Path, columns: int | None, scale: int | None) -> None:
    """All scales beside each other, enlarged to the same size."""
    from nextpixel.rendering.grid import beside, grid, save_picture

    finest = scales[-1].shape[-1]
    enlargement = scale or max(1, 420 // (finest * round(len(scales[-1]) ** 0.5)))
    pictures = {}
    for images in scales:
        height, width = images.shape[-2:]
        pictures[f"{height} x {width}"] = grid(
            images, levels, columns=columns, scale=max(1, round(enlargement * finest / width))
        )
    save_picture(beside(pictures), out, mark=True)

"""`nextpixel explain`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from nextpixel.cli.destinations import Force
from nextpixel.errors import InputError

if TYPE_CHECKING:
    from PIL import Image

    from nextpixel.families.base import ImageModel

FRAMES = 60


def explain(
    run: Path,
    *,
    out: Path,
    pixel: tuple[int, int] | None = None,
    channel: int | None = None,
    force: Force = Force(),
) -> None:
    """Draw what the distribution of a pixel depends on, and the order in which pixels are drawn.

    A .png shows one pixel: what it sees is found by gradients, so it is what this model does and not what it should do.
    A .gif or .webp goes through the image in the order in which it is drawn, and shows for each pixel what the
    architecture lets it see; blind spots are what was drawn before and is never seen.

    Args:
        run: Run or model folder.
        out: Picture to write, .png, .gif or .webp.
        pixel: Row and column of the pixel of a .png, from 0, such as --pixel 4 4; by default the middle.
        channel: Colour of the pixel, from 0; by default the last, which sees the most.
        force: What may be replaced.
    """
    from nextpixel.cli.options import load_model
    from nextpixel.cli.output import progress, say
    from nextpixel.dependence import dependence_of
    from nextpixel.rendering.animation import FORMATS, check_animation, save_animation
    from nextpixel.rendering.explained import dependence
    from nextpixel.rendering.grid import picture_format, save_picture
    from nextpixel.verify import SECOND_LOOKS, Site

    moves = out.suffix.lower() in FORMATS
    if moves and pixel is not None:
        raise InputError(f"--out {out} goes through all pixels; leave out --pixel, or write a .png")
    if moves:
        check_animation(out)
    elif picture_format(out) != "PNG":
        raise InputError(f"--out {out} must end with .png, .gif or .webp")
    force.check_file(out)
    model = load_model(run)
    channels, height, width = model.image_shape
    channel = channels - 1 if channel is None else channel
    row, column = (height // 2, width // 2) if pixel is None else pixel
    if moves:
        if not 0 <= channel < channels:
            raise InputError(f"--channel must be from 0 to {channels - 1}, not {channel}")
        save_animation(_frames(model, channel), out)
        say(f"the order of drawing, and what the architecture lets each pixel see: {out}")
        return
    with progress.task("gradients", SECOND_LOOKS) as advance:
        result = dependence_of(model, Site(channel, row, column), advance=advance)
    save_picture(dependence(result.kinds, result.title), out)
    say("\n".join([*result.sentences, f"picture: {out}"]))


def _frames(model: ImageModel, channel: int) -> list[Image.Image]:
    """Pictures of pixels in the order in which they are drawn."""
    from nextpixel.rendering.explained import dependence, kinds

    _, height, width = model.image_shape
    promised, order = model.receptive_field(), model.order
    places = order[channel].flatten().argsort().tolist()
    chosen = places[:: max(1, len(places) // FRAMES)]
    frames = []
    for place in chosen:
        row, column = divmod(place, width)
        seen = promised[channel * height * width + place].view(model.image_shape)
        before = order < order[channel, row, column]
        frames.append(dependence(kinds(seen, before, row, column), f"{model.family}: row {row}, column {column}"))
    return frames

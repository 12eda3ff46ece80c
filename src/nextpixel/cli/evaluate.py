"""`nextpixel evaluate`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from nextpixel.cli.options import (
    DataOptions,
    load_model,
    open_for,
    open_pictures_for,
    takes_pictures,
    test_part,
)

if TYPE_CHECKING:
    from nextpixel.data import ImageSet
    from nextpixel.data.pictures import Pictures


def evaluate(
    run: Path,
    data: str,
    *,
    split: str | None = None,
    vectors: Path | None = None,
    orders: int = 1,
    json: Annotated[bool, Parameter(negative="")] = False,
    images: DataOptions = DataOptions(),
) -> None:
    """Measure the exact likelihood of images, in nats per image and bits per dimension.

    Nats are natural logarithms for a whole image; bits/dim = nats / (C * H * W * ln 2). Lower is better. Computed in
    float32. A conditional model is given the labels or vectors of the images. An autoencoder encodes each image first:
    its figure is the likelihood of a reconstruction, no density, and not comparable with those of other models.

    Args:
        run: Run or model folder.
        data: Images; see `nextpixel --help`.
        split: train, valid, test or all; by default test where the data has one, else all. Where the run held images
            of this very data back for validation, valid are those.
        vectors: File of the images' vectors, for a model conditioned on vectors; see `nextpixel train --help`.
        orders: Take the mean of the probabilities that a locally-masked gives in so many of its orders, a distribution
            as well: exact, and at least as good as the mean of the nats.
        json: Print one JSON object.
        images: How images are read.
    """
    from dataclasses import asdict

    from nextpixel.cli.output import progress, say, warn
    from nextpixel.runtime.strict_json import as_json
    from nextpixel.scoring.likelihood import evaluate as compute

    model = load_model(run)
    part = None if split == "all" else split
    opened: ImageSet | Pictures
    if takes_pictures(model, images):
        opened, split = test_part(open_pictures_for(model, data, images, part), split, model)
    else:
        opened, split = test_part(open_for(model, data, images, part, vectors=vectors), split, model)
    with progress.task("evaluating", len(opened)) as advance:
        likelihood = compute(model, opened, orders=orders, advance=advance)
    if model.condition is not None and not model.needs_condition:
        warn("an autoencoder encodes each image first: this is the likelihood of reconstructions, not a density")
    if json:
        say(as_json({"run": str(run), "data": data, "split": split, **asdict(likelihood)}))
    else:
        say(f"{data} ({split}): {likelihood}")

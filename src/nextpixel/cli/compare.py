"""`nextpixel compare`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from nextpixel.cli.options import DataOptions, load_model, open_for, test_part
from nextpixel.errors import InputError


def compare(
    first: Path,
    second: Path,
    data: str,
    *,
    split: str | None = None,
    vectors: Path | None = None,
    json: Annotated[bool, Parameter(negative="")] = False,
    images: DataOptions = DataOptions(),
) -> None:
    """Tell which of two models fits images better, image by image.

    Both score the same images, and the differences are taken image by image, so their standard error is much smaller
    than that of either mean. The images are read as the first model's were.

    Args:
        first: Run or model folder.
        second: Run or model folder.
        data: Images that neither was trained on; see `nextpixel --help`.
        split: train, valid, test or all; by default test where the data has one, else all.
        vectors: File of the images' vectors, for models conditioned on vectors; see `nextpixel train --help`.
        json: Print one JSON object.
        images: How images are read.
    """
    from dataclasses import asdict

    from nextpixel.cli.output import progress, say
    from nextpixel.runtime.strict_json import as_json
    from nextpixel.scoring.comparison import compare as compute

    models = load_model(first), load_model(second)
    kinds = [f"{' x '.join(map(str, model.image_shape))} with {model.levels} levels" for model in models]
    if kinds[0] != kinds[1]:
        raise InputError(
            f"{first} is of images of {kinds[0]}, {second} of {kinds[1]}; compare models of the same images"
        )
    opened = open_for(models[0], data, images, None if split == "all" else split, vectors=vectors, own_condition=False)
    opened, split = test_part(opened, split, *models)
    with progress.task("comparing", 2 * len(opened)) as advance:
        result = compute(*models, opened, advance=advance)
    if json:
        figures = {"first_run": str(first), "second_run": str(second), "data": data, "split": split}
        say(as_json(figures | asdict(result)))
    else:
        say(result.told(str(first), str(second)))

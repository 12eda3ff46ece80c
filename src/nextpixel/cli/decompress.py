"""`nextpixel decompress`."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from nextpixel.errors import DataError, InputError, NextpixelError

if TYPE_CHECKING:
    from nextpixel.codec.container import Contents
    from nextpixel.families.base import ImageModel

LEAST_MEASURED = 2**16
"""Sub-pixels that take long enough for a measurement of how long."""

WORTH_TELLING = 10.0
"""Seconds."""


def decompress(
    *run_and_file: Path,
    out: Path | None = None,
    only: str | None = None,
    list_: Annotated[bool, Parameter(name="--list", negative="")] = False,
    most_megapixels: float | None = None,
) -> None:
    """Restore compressed pictures, pixel for pixel.

    Writes a PNG file for each, or the file itself where `compress --keep-files` has kept it.

    Args:
        run_and_file: The run or model folder that the file was made with, then the file; the file alone where the
            model is in it or comes with nextpixel.
        out: A new or empty folder.
        only: Restore only the picture of this name, as --list tells it.
        list_: Tell the names and sizes of the pictures, and decode nothing.
        most_megapixels: Refuse a file whose pictures have more sub-pixels together than this many millions; by default
            256, and fewer for a small file, which cannot hold as many.
    """
    import math

    from nextpixel.cli.output import progress, say, warn
    from nextpixel.codec.codec import unpack
    from nextpixel.codec.container import FILE, picture_names, read
    from nextpixel.rendering.grid import save_picture, to_pil
    from nextpixel.runtime.atomic_files import check_new_folder, whole_folder, write_result
    from nextpixel.runtime.counted import counted
    from nextpixel.runtime.terminal import duration

    if len(run_and_file) not in (1, 2):
        raise InputError("name the run folder and the .npx file, or the file alone where the model is in it")
    file = run_and_file[-1]
    if most_megapixels is not None and not (math.isfinite(most_megapixels) and 0 < most_megapixels <= 1e9):
        raise InputError(f"--most-megapixels must be a number above 0 and up to 1e9, not {most_megapixels}")
    most_sub_pixels = None if most_megapixels is None else int(most_megapixels * 1e6)
    if out is None and not list_:
        raise InputError("name an empty or a new folder with --out, or only look with --list")
    if out is not None:
        if out.suffix.lower() == ".npz":
            raise InputError(f"--out {out} must be a folder")
        check_new_folder(out)
    try:
        data = file.read_bytes()
    except OSError as error:
        raise InputError(f"{file} cannot be read ({error.strerror}); check that it is there") from error
    try:
        contents = read(data, most_sub_pixels)
        names = picture_names(contents)
        files = {number for number, kind in contents.kinds.items() if kind == FILE}
        run = run_and_file[0] if len(run_and_file) == 2 else None
        if out is None or list_:
            _list(contents, names, len(data))
            _tell_time(run, contents, most_sub_pixels)
            return
        model = _model(run, contents)
        total = sum(math.prod(shape) for shape in contents.shapes)
        chosen = _place(only, names)
        if chosen is None and (seconds := _seconds(model, contents, most_sub_pixels)) > WORTH_TELLING:
            warn(f"decompressing takes {duration(seconds)} on this machine")
        with progress.task("decompressing", total) as advance:
            pictures = unpack(
                model,
                contents,
                only=chosen,
                most_sub_pixels=most_sub_pixels,
                with_files=False,
                advance=advance,
            )
    except DataError as error:
        raise DataError(f"{file}: {error}") from error
    numbers = range(len(names)) if chosen is None else [chosen]
    with whole_folder(out) as folder:
        for number in numbers:
            if number in files:
                write_result(folder / names[number], contents.stored[number])
            else:
                save_picture(to_pil(pictures[number], model.levels), folder / names[number])
    say(f"{counted(len(numbers), 'picture')}: {out}")


def _list(contents: Contents, names: Sequence[str], size: int) -> None:
    """Tell what a file holds, by its header."""
    import math

    from nextpixel.cli.output import say
    from nextpixel.codec.container import DEFLATE, FILE, PNG, WEBP
    from nextpixel.coding.colour_lattices import LATTICES
    from nextpixel.runtime.counted import counted

    how = {DEFLATE: "deflated", PNG: "stored as PNG", WEBP: "stored as WebP", FILE: "kept as its file"}
    for number, (name, shape) in enumerate(zip(names, contents.shapes, strict=True)):
        stored = ""
        if number in contents.stored:
            stored = f", {how[contents.kinds.get(number, DEFLATE)]}"
        elif number in contents.lattices:
            stored = f", in the colours of {LATTICES[contents.lattices[number].lattice].name}"
        say(f"{name}: {' x '.join(map(str, shape))}{stored}")
    total = sum(math.prod(shape) for shape in contents.shapes)
    lanes = sum(map(len, contents.blocks))
    model = ", with the model" if contents.model else ""
    say(f"{counted(len(names), 'picture')}, {total:,} sub-pixels in {counted(lanes, 'lane')}, {size:,} bytes{model}")


def _seconds(model: ImageModel, contents: Contents, most_sub_pixels: int | None) -> float:
    """About how long decoding takes; 0 for so little that measuring it would take as long."""
    import math

    from nextpixel.codec.decoding_time import decoding_seconds
    from nextpixel.model_files.stored import stored_model

    coded = (shape for number, shape in enumerate(contents.shapes) if number not in contents.stored)
    if sum(map(math.prod, coded)) < LEAST_MEASURED:
        return 0.0
    return decoding_seconds(stored_model(model), contents, most_sub_pixels)


def _tell_time(run: Path | None, contents: Contents, most_sub_pixels: int | None) -> None:
    """Tell how long decoding takes, where the model is at hand."""
    from nextpixel.cli.output import say
    from nextpixel.runtime.terminal import duration

    try:
        seconds = _seconds(_model(run, contents), contents, most_sub_pixels)
    except NextpixelError as error:
        say(f"how long decompressing takes cannot be told ({error})")
        return
    say(f"decompressing takes {duration(seconds)} on this machine")


def _place(name: str | None, names: Sequence[str]) -> int | None:
    if name is None:
        return None
    if name not in names:
        listed = ", ".join(names[:10]) + (f" and {len(names) - 10} more" if len(names) > 10 else "")
        raise InputError(f"there is no picture {name!r} in the file; it has {listed}")
    return names.index(name)


def _model(run: Path | None, contents: Contents) -> ImageModel:
    """The model of a run, or the one that came with a file or with nextpixel."""
    from nextpixel.cli.compress import MODEL_FILES
    from nextpixel.cli.options import load_model
    from nextpixel.model_files.loading import load, load_shipped

    if run is not None:
        return load_model(run).cpu()
    if not contents.model:
        model = load_shipped(contents.fingerprint)
        if model is None:
            raise DataError("it has no model in it, nor one that comes with nextpixel: name its run folder before it")
        return model
    if set(contents.model) != set(MODEL_FILES):
        raise DataError("the model in it is not whole: it is damaged")
    with tempfile.TemporaryDirectory() as folder:
        for name in MODEL_FILES:
            (Path(folder) / name).write_bytes(contents.model[name])
        return load(folder)

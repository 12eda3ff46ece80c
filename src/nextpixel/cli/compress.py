"""`nextpixel compress`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from nextpixel.cli.conditions import ConditionOptions
from nextpixel.cli.destinations import Force
from nextpixel.errors import DataError, InputError

if TYPE_CHECKING:
    from torch import Tensor

    from nextpixel.families.base import ImageModel

MODEL_FILES = ("config.json", "model.safetensors")
DEFAULT_MODEL = "nextpixel/photographs"


def compress(
    *run_and_images: Path,
    out: Path,
    effort: int | None = None,
    lanes: int | None = None,
    embed_model: Annotated[bool, Parameter(negative="")] = False,
    keep_files: Annotated[bool, Parameter(negative="")] = False,
    skip: Annotated[bool, Parameter(negative="")] = False,
    compare: bool = True,
    condition: ConditionOptions = ConditionOptions(),
    force: Force = Force(),
) -> None:
    """Compress pictures without loss, by the exact probabilities of a model.

    Without a run, nextpixel/photographs compresses, which comes with the package and is made for photographs, in colour
    and grey, of any size. Pictures that a model does badly on, such as screenshots, are stored as PNG or WebP. A run is
    a local-pixelcnn without a condition, or a Gated PixelCNN, PixelCNN, Row LSTM or Diagonal BiLSTM without a condition
    or conditioned on labels, for which larger pictures are cut into tiles. The same model decompresses them on any
    machine, to the same pixels. The last lines tell the size beside those of other lossless formats, and of the files
    that were given.

    Args:
        run_and_images: A run or model folder, if it is not to be nextpixel/photographs; then picture files, or folders
            of them.
        out: The file, ending with .npx.
        effort: From 1 to 9, 5 by default: from 2 on, a local-pixelcnn is fitted to the pictures first, and what changes
            is put into the file. The higher, the longer and the smaller; decompressing takes the same time.
        lanes: Number of tiles that are decoded in parallel, which is faster; each costs about 5 bytes. By default a
            few, and more for larger files.
        embed_model: Put the model into the file, so that nothing else is needed to decompress it.
        keep_files: Keep a picture file as it is, to the byte, with its name and metadata, where that is shorter than
            its pixels, as it mostly is for JPEG.
        skip: Leave out files that are no pictures or cannot be packed without loss, and say which; without this, such a
            file stops the command, since somebody might delete the originals.
        compare: Also measure PNG, WebP and, where it is installed, JPEG XL.
        condition: For a model of classes, the --label of the pictures.
        force: What may be replaced.
    """
    import math
    import time

    from nextpixel.cli.options import load_model
    from nextpixel.cli.output import progress, say, warn
    from nextpixel.codec.codec import Original, check_compresses
    from nextpixel.codec.codec import compress as squeeze
    from nextpixel.codec.container import FILE, TILES, counted_sub_pixels, read
    from nextpixel.codec.picture_files import read_pictures
    from nextpixel.model_files.shipped import find_model
    from nextpixel.runtime.atomic_files import write_result
    from nextpixel.runtime.counted import counted

    if out.suffix.lower() != ".npx":
        raise InputError(f"--out {out} must end with .npx")
    run, images = _divided(run_and_images)
    if not images:
        raise InputError("name the pictures, or folders of them, to compress")
    force.check_file(out, images)
    model = load_model(run).cpu()
    check_compresses(model)
    values = condition.one(model) if model.condition is not None or condition.are_given else None
    packed = read_pictures(images, model.levels, skip=skip, keep_files=keep_files)
    for note in packed.notes:
        warn(note)
    total = sum(image.numel() for image in packed.images)
    _warn_beforehand(model, packed.images, values, run)
    embed = {name: (find_model(run) / name).read_bytes() for name in MODEL_FILES} if embed_model else None
    start = time.monotonic()
    with progress.task("compressing", total) as advance:
        data = squeeze(
            model,
            packed.images,
            values or None,
            names=packed.names,
            originals=[Original(*file) for file in packed.files] if keep_files else None,
            embed=embed,
            lanes=lanes,
            effort=effort,
            advance=advance,
        )
    seconds = time.monotonic() - start
    write_result(out, data)
    model_bytes = sum(map(len, (embed or {}).values()))
    needed = counted_sub_pixels([(*image.shape,) for image in packed.images], (), TILES)
    try:
        read(data)
    except DataError:
        warn(f"to decompress it, add --most-megapixels {math.ceil(needed / 1e6)}")
    say(
        f"{counted(len(packed.images), 'picture')}, {len(data):,} bytes, {8 * len(data) / total:.4f} bits/dim"
        + (f" ({8 * (len(data) - model_bytes) / total:.4f} without the model)" if embed else "")
        + f", {total / 1e6 / max(seconds, 1e-9):.3f} MB/s: {out}"
    )
    kept_files = [number for number, kind in read(data, needed).kinds.items() if kind == FILE]
    lost = sum(has for number, has in enumerate(packed.with_metadata) if number not in kept_files)
    if lost:
        warn(f"the metadata (EXIF, colour profile and the like) of {lost} files are not kept")
    if compare:
        say(_compared(packed.images, len(data)))
    say(_beside_files(packed.file_bytes, len(data) - model_bytes, len(kept_files), keep_files))


def _warn_beforehand(model: ImageModel, images: Sequence[Tensor], values: dict[str, Tensor] | None, run: Path) -> None:
    """Say if the model does not suit the pictures, or its integers not the model."""
    from nextpixel.cli.output import warn
    from nextpixel.codec.outlook import MOST_TWIN_COST, outlook

    labels = next(iter(values.values())) if values else None
    first = outlook(model, images, None if labels is None else labels.expand(len(images)))
    if 2 * first.unsuited > first.looked_at:
        warn(
            f"{run} does not suit these pictures: {first.unsuited} of {first.looked_at} that were looked at take less "
            "space as PNG or WebP, and such pictures are stored so; name a model that was trained on pictures like "
            f"them{'' if run == Path(DEFAULT_MODEL) else ', or none for photographs'}"
        )
    if first.twin_cost > MOST_TWIN_COST:
        warn(
            f"the integers of {run} that code the pictures need {first.twin_cost:.1%} more bits than the model says; "
            "`nextpixel evaluate` tells what it would be without that"
        )


def _beside_files(files: int, size: int, kept: int, keep_files: bool) -> str:
    """The size beside that of the files that were given."""
    told = f", {kept} of them kept as they are" if kept else ""
    remedy = "; --keep-files keeps those as they are that are shorter" if size > files and not keep_files else ""
    return f"the files that were given: {files:,} bytes, {files / size:.2f} times as large{told}{remedy}"


def _divided(paths: Sequence[Path]) -> tuple[Path, Sequence[Path]]:
    """The model's folder and the pictures; the default model where the first path is none."""
    from nextpixel.model_files.shipped import find_model

    if paths and (find_model(paths[0]) / MODEL_FILES[0]).is_file():
        return paths[0], paths[1:]
    return Path(DEFAULT_MODEL), paths


def _compared(images: Sequence[Tensor], size: int) -> str:
    """Sizes of other formats in units of this one's."""
    import torch

    from nextpixel.data.decode import to_image
    from nextpixel.data.preview import sheet
    from nextpixel.scoring.references import Format, fits, has_jpeg_xl, lossless_size

    forms: list[Format] = ["PNG", "WebP"]
    if has_jpeg_xl():
        forms.append("JPEG XL")
    alike = len({image.shape for image in images}) == 1 and len(images) > 1
    parts = []
    for form in forms:
        pictures = [to_image(image.numpy()) for image in images]
        if not all(fits(picture, form) for picture in pictures):
            parts.append(f"{form} (cannot hold pictures as large)")
            continue
        ratio = f"{form} {sum(lossless_size(picture, form) for picture in pictures) / size:.2f} times as large"
        together = sheet(torch.stack(list(images))) if alike else None
        if together is not None and fits(together, form):
            ratio += f" (all in one sheet {lossless_size(together, form) / size:.2f})"
        parts.append(ratio)
    missing = "" if has_jpeg_xl() else "; JPEG XL is not installed: pip install 'nextpixel[jxl]'"
    return f"the same pixels as {', '.join(parts)}{missing}"

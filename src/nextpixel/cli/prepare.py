"""`nextpixel prepare`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from nextpixel.cli.options import DataOptions, tell
from nextpixel.errors import InputError


def prepare(
    data: str,
    *,
    out: Path | None = None,
    vectors: Path | None = None,
    shard_mb: int = 256,
    verify: Annotated[bool, Parameter(negative="")] = False,
    images: DataOptions = DataOptions(),
) -> None:
    """Write images as a data set that opens at once and may be larger than memory.

    The folder holds the images as they are used: decoded, and resized or quantised if you ask for it here. Whatever
    DATA is, its images are read one after another, so that it may be larger than memory; training on the folder reads
    a batch at a time. It is written whole or not at all: after an interruption nothing is left under its name, and the
    same command starts anew.

    Args:
        data: Images: a folder, archive, .npz, .npy, idx file, a name such as digits, or hf:NAME for a set of the
            Hugging Face hub; with --verify a prepared folder.
        out: A new or empty folder.
        vectors: Numbers that belong to the images, [N, d]: an .npz with vectors (and perhaps names) or an .npy.
        shard_mb: Size of a file of images, in megabytes.
        verify: Compare the files of a prepared folder with its checksums, and write nothing.
        images: What is done to the images before they are stored.
    """
    from nextpixel.cli.output import progress, say
    from nextpixel.data import prepare as write
    from nextpixel.data import verify_prepared

    if verify:
        if out is not None or vectors is not None or images != DataOptions():
            raise InputError("--verify only reads: leave out --out and the options of images")
        manifest = verify_prepared(Path(data), progress)
        say(f"{manifest.count:,} images in {len(manifest.files)} files, all as they were written: {data}")
        return
    if out is None:
        raise InputError("name the folder to write with --out, or check a prepared one with --verify")
    prepared = write(data, out, vectors=vectors, shard_mb=shard_mb, progress=progress, **images.wishes())
    tell(prepared)
    shape = " x ".join(map(str, prepared.image_shape))
    splits = "".join(f", {name} {size:,}" for name, size in prepared.splits.items())
    say(f"{len(prepared):,} images of {shape}, {prepared.levels} levels{splits}: {out}")

"""`nextpixel quickstart`."""

from __future__ import annotations

import shlex
import shutil
import sys
from itertools import count
from pathlib import Path

from nextpixel.errors import InputError, NextpixelError

MODEL = "nextpixel/digits-gated"
OF_CLASSES = "nextpixel/mnist-256-gated-classes"
PICTURES = 64


def quickstart(*, out: Path = Path("quickstart")) -> None:
    """Draw, complete, score and compress digits with a model of the package: no data, no training.

    Takes the model of handwritten digits that comes along (8 x 8 pixels, 17 grey levels), draws digits, completes
    and scores some that it was not trained on, compresses them and gets them back; and draws MNIST's digits of each
    class. Every command is printed before it is run, as you can run it yourself.

    Args:
        out: A new or empty folder for the results.
    """
    from nextpixel.cli.app import run
    from nextpixel.cli.output import say
    from nextpixel.data import open_images
    from nextpixel.rendering.output import write_images
    from nextpixel.runtime.atomic_files import check_new_folder

    try:
        check_new_folder(out)
    except InputError as error:
        raise InputError(f"{error}, such as --out {free_name(out)}") from error
    nextpixel = program()
    digits = out / "digits"
    images = open_images("digits", split="test")[:PICTURES]
    write_images(images, 17, digits)
    say(f"{PICTURES} digits that the model was not trained on: {digits}")
    # Pictures have 256 levels until they are read otherwise.
    levels = ["--levels", "17"]
    commands = [
        ["sample", MODEL, "--count", "64", "--seed", "0", "--out", out / "samples.png"],
        ["sample", OF_CLASSES, "--label", "all", "--count", "8", "--seed", "0", "--out", out / "classes.png"],
        [
            "complete",
            MODEL,
            digits,
            *levels,
            "--known",
            "top",
            "--limit",
            "8",
            "--seed",
            "0",
            "--out",
            out / "completed",
        ],
        ["score", MODEL, digits, *levels, "--out", out / "scores.csv"],
        ["compress", MODEL, digits, "--out", out / "digits.npx"],
        ["decompress", MODEL, out / "digits.npx", "--out", out / "decompressed"],
    ]
    for command in commands:
        words = list(map(str, command))
        say(f"\n$ {shlex.join([nextpixel, *words])}")
        if run(words) != 0:
            raise NextpixelError(f"this command failed, which ends the quickstart; {out} holds what there is so far")
    _compare(digits, out / "decompressed")
    say("(so few, so small pictures take more bits in a file than `score` gives them: names and sizes are in it too)")
    pictures = ", ".join(str(out / name) for name in ("samples.png", "classes.png", "completed/completions.png"))
    say(f"\nLook at {pictures}. Now with your own images:")
    say(f"$ {shlex.quote(nextpixel)} train FOLDER --out runs/mine --resize 32x32 --mode rgb --minutes 60")


def free_name(folder: Path) -> Path:
    """A folder of a similar name that is not there yet."""
    return next(path for number in count(2) if not (path := folder.with_name(f"{folder.name}-{number}")).exists())


def program() -> str:
    """What a user types to run nextpixel: where the environment is not activated, the path that was typed this time."""
    typed = Path(sys.argv[0])
    return str(typed) if typed.stem == "nextpixel" and shutil.which("nextpixel") is None else "nextpixel"


def _compare(before: Path, after: Path) -> None:
    """Hold the pictures against those that were compressed and decompressed, and remove the latter."""
    import numpy as np
    from PIL import Image

    from nextpixel.cli.output import say

    names = sorted(path.name for path in before.iterdir())
    same = names == sorted(path.name for path in after.iterdir()) and all(
        np.array_equal(np.array(Image.open(before / name)), np.array(Image.open(after / name))) for name in names
    )
    if not same:
        raise NextpixelError(f"{after} differs from {before}: the compression is not to be trusted")
    # So that the command which made it can be run again.
    shutil.rmtree(after)
    say(f"the {len(names)} pictures were those in {before}, pixel for pixel; {after} is removed again")

"""The command `python -m nextpixel.decode`, also `nextpixel-decode`: the standard library, NumPy and Pillow alone."""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from nextpixel._version import __version__
from nextpixel.codec.container import FILE, Contents, picture_names, read
from nextpixel.codec.unpacking import unpack
from nextpixel.data.level_table import level_table
from nextpixel.errors import DataError, InputError, ModelError, NextpixelError
from nextpixel.model_files.shipped import HERE as SHIPPED
from nextpixel.plan.model_folder import MODEL_FILES, read_model
from nextpixel.plan.stored_model import StoredModel
from nextpixel.runtime.compilation import leave

EXIT_INTERRUPTED = 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Decode a file, as the command line says.

    Returns:
        The exit code: 0, or 2 for what the user can mend; Ctrl-C ends the process with 130.
    """
    parser = argparse.ArgumentParser(
        prog="nextpixel-decode",
        description="Write the pictures of an .npx file as PNG files, pixel for pixel as they were.",
    )
    parser.add_argument("file", type=Path, help="the .npx file")
    parser.add_argument("--out", type=Path, required=True, help="a new or empty folder")
    parser.add_argument("--model", type=Path, help="the model's folder, where the model is not in the file")
    parser.add_argument("--version", action="version", version=__version__)
    options = parser.parse_args(arguments)
    try:
        count = decode(options.file, options.out, options.model)
    except NextpixelError as error:
        print(f"nextpixel-decode: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        print("nextpixel-decode: interrupted", file=sys.stderr)
        leave(EXIT_INTERRUPTED)
    print(f"{count} picture{'' if count == 1 else 's'}: {options.out}")
    return 0


def decode(file: Path, out: Path, folder: Path | None = None) -> int:
    """Write the pictures of a file as PNG files.

    Args:
        file: the .npx file.
        out: a new or an empty folder.
        folder: of the model, where it is not in the file.

    Returns:
        How many pictures there are.

    Raises:
        InputError: a file or folder cannot be read or written.
        DataError: the file is damaged.
        ModelError: the model is.
    """
    try:
        if out.exists() and (not out.is_dir() or any(out.iterdir())):
            raise InputError(f"{out} is not an empty folder; choose another one")
        data = file.read_bytes()
    except OSError as error:
        raise InputError(
            f"{error.filename or file} cannot be read ({error.strerror}); check that it is there"
        ) from error
    try:
        contents = read(data)
        names = picture_names(contents)
        model = _model(contents, folder)
        pictures = unpack(model, contents)
    except DataError as error:
        raise DataError(f"{file}: {error}") from error
    kept = {number: contents.stored[number] for number, kind in contents.kinds.items() if kind == FILE}
    _write(out, names, pictures, kept, model.levels)
    return len(pictures)


def _model(contents: Contents, folder: Path | None) -> StoredModel:
    """The model of a file: that of a folder, that in the file, or one that comes with the package."""
    if folder is not None:
        return _read_folder(folder)
    if contents.model:
        if set(contents.model) != set(MODEL_FILES):
            raise DataError("the model in it is not whole: it is damaged")
        return read_model(*(contents.model[name] for name in MODEL_FILES))
    for path in sorted(SHIPPED.glob(f"*/{MODEL_FILES[0]}")):
        model = _read_folder(path.parent)
        if model.fingerprint.startswith(contents.fingerprint):
            return model
    raise DataError("it has no model in it, nor one that comes with nextpixel: name the model's folder with --model")


def _read_folder(folder: Path) -> StoredModel:
    try:
        return read_model(*((folder / name).read_bytes() for name in MODEL_FILES))
    except OSError as error:
        raise InputError(
            f"{folder} is no model folder ({error}); name one that holds {' and '.join(MODEL_FILES)}"
        ) from error
    except ModelError as error:
        raise ModelError(f"{folder}: {error}") from error


def _write(
    out: Path, names: Sequence[str], pictures: Sequence[NDArray[np.uint8]], kept: Mapping[int, bytes], levels: int
) -> None:
    """Write pictures, or the files that are kept, into a new or empty folder, all of them or none."""
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{out.name}.", dir=out.parent) as hidden:
            whole = Path(hidden) / "whole"
            whole.mkdir()
            for number, (name, picture) in enumerate(zip(names, pictures, strict=True)):
                path = whole / name
                path.parent.mkdir(parents=True, exist_ok=True)
                if number in kept:
                    path.write_bytes(kept[number])
                    continue
                shown = level_table(levels)[picture]
                Image.fromarray(np.ascontiguousarray(shown[0] if len(shown) == 1 else shown.transpose(1, 2, 0))).save(
                    path
                )
            if out.is_dir():
                out.rmdir()
            whole.replace(out)
    except OSError as error:
        raise InputError(f"{out} cannot be written ({error.strerror}); choose another place") from error


if __name__ == "__main__":
    sys.exit(main())

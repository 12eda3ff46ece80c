"""`nextpixel embed`."""

from __future__ import annotations

from pathlib import Path

from nextpixel.cli.options import DataOptions, open_for


def embed(run: Path, source: str, *, out: Path, split: str | None = None, images: DataOptions = DataOptions()) -> None:
    """Write the codes that an autoencoder gives to images.

    The file, an .npz, holds vectors [N, d], and the labels, label_names and names of the images where they have any;
    `train --vectors` and `sample --vector` take it.

    Args:
        run: Run or model folder of an autoencoder.
        source: Images; see `nextpixel --help`.
        out: The file, ending with .npz.
        split: train, valid or test; by default all.
        images: How images are read.
    """
    import io

    import numpy as np

    from nextpixel.cli.output import bar
    from nextpixel.cli.reconstruct import load_autoencoder
    from nextpixel.errors import InputError
    from nextpixel.runtime.atomic_files import write_result
    from nextpixel.scoring.codes import codes

    if out.suffix.lower() != ".npz":
        raise InputError(f"--out {out} must end with .npz")
    model = load_autoencoder(run)
    found = open_for(model, source, images, split)
    with bar("encoding", len(found)) as advance:
        entries = {"vectors": codes(model, found, advance=advance).numpy()}
    if found.labels is not None:
        entries["labels"] = found.labels.numpy()
    if found.label_names is not None:
        entries["label_names"] = np.array(found.label_names)
    if found.names is not None:
        entries["names"] = np.array(found.names)
    buffer = io.BytesIO()
    np.savez_compressed(buffer, allow_pickle=False, **entries)
    write_result(out, buffer.getvalue())
    print(f"{len(found)} codes of {entries['vectors'].shape[1]} numbers: {out}")

"""`nextpixel embed`."""

from __future__ import annotations

from pathlib import Path

from nextpixel.cli.destinations import Force
from nextpixel.cli.options import DataOptions, open_for


def embed(
    run: Path,
    source: str,
    *,
    out: Path,
    split: str | None = None,
    images: DataOptions = DataOptions(),
    force: Force = Force(),
) -> None:
    """Write the codes that an autoencoder gives to images.

    The file, an .npz, holds vectors [N, d], and the labels, label_names and names of the images where they have any;
    `train --vectors` and `sample --vector` take it.

    Args:
        run: Run or model folder of an autoencoder.
        source: Images; see `nextpixel --help`.
        out: The file, ending with .npz.
        split: train, valid or test; by default all.
        images: How images are read.
        force: What may be replaced.
    """
    import numpy as np

    from nextpixel.cli.output import progress, say
    from nextpixel.cli.reconstruct import load_autoencoder
    from nextpixel.errors import InputError
    from nextpixel.rendering.mark import marked_arrays
    from nextpixel.runtime.atomic_files import write_result
    from nextpixel.scoring.codes import codes

    if out.suffix.lower() != ".npz":
        raise InputError(f"--out {out} must end with .npz")
    force.check_file(out, (source,))
    model = load_autoencoder(run)
    opened = open_for(model, source, images, split)
    with progress.task("encoding", len(opened)) as advance:
        entries = {"vectors": codes(model, opened, advance=advance).numpy()}
    if opened.labels is not None:
        entries["labels"] = opened.labels.numpy()
    if opened.label_names is not None:
        entries["label_names"] = np.array(opened.label_names)
    if opened.names is not None:
        entries["names"] = np.array(opened.names)
    write_result(out, marked_arrays(entries))
    say(f"{len(opened)} codes of {entries['vectors'].shape[1]} numbers: {out}")

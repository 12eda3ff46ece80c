"""`nextpixel export`."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from nextpixel.cli.options import DataOptions

if TYPE_CHECKING:
    from nextpixel.data import ImageSet
    from nextpixel.data.pictures import Pictures


def export(
    run: Path,
    *,
    valid: str,
    out: Path,
    dtype: Literal["float16", "bfloat16", "float32"] = "float16",
    fraction_bits: int | None = None,
    split: str | None = None,
    vectors: Path | None = None,
    outputs: int | None = None,
    name: str | None = None,
    hardware: str | None = None,
    limits: str | None = None,
    intended_use: str | None = None,
    onnx: bool = False,
    push: str | None = None,
    images: DataOptions = DataOptions(),
) -> None:
    """Write a small model folder with a full model card, to keep or to share.

    The folder holds the weights in half precision (config.json, model.safetensors), samples.png, curve.png where the
    run logged validations, and the card README.md: data, protocol, command, training, hardware, exact likelihood of the
    validation images with its standard error, samples, the result of `nextpixel check`, limits and intended use. No
    checkpoint and no names of folders. The stored weights are evaluated: where they change the likelihood by more than
    0.01 %, nothing is written. Needs: pip install 'nextpixel[plots]'.

    Args:
        run: Run or model folder.
        valid: Images that the model was not trained on; see `nextpixel --help`.
        out: A new or empty folder.
        dtype: How the weights are stored. All commands compute with them in float32.
        fraction_bits: Round the weights to so many bits after the leading one. The folder is as large as before, and
            takes less in an archive or a wheel: float16 has 10, and with 6 a third less.
        split: train, valid, test or all; by default valid where the data has one, or the run held one out of the same
            images; else all.
        vectors: File of the images' vectors, for a model conditioned on vectors; see `nextpixel train --help`.
        outputs: Check this many output sub-pixels, as `nextpixel check` does, instead of all.
        name: What the card calls the model; by default the name of the folder.
        hardware: What the run was trained on, where it does not say so itself.
        limits: Sentences for the card, added to the limits that hold for every model.
        intended_use: Sentences for the card, instead of the usual ones.
        onnx: Add model.onnx, which gives the log-probability of every sub-pixel of images in other runtimes; it is
            compared with PyTorch by onnxruntime. Drawing and compressing are not in it. Needs:
            pip install 'nextpixel[onnx]'.
        push: hf:USER/NAME: put the folder on the Hugging Face hub too, after `hf auth login`. Needs:
            pip install 'nextpixel[hub]'. Others then load it by that name.
        images: How images are read.
    """
    import shlex

    from nextpixel.cli.destinations import check_outside
    from nextpixel.cli.options import (
        load_model,
        open_for,
        open_pictures_for,
        stored_options,
        takes_pictures,
        valid_part,
    )
    from nextpixel.cli.output import progress, say, warn
    from nextpixel.codec.outlook import MOST_TWIN_COST
    from nextpixel.exporting import export as write
    from nextpixel.exporting import stored_as
    from nextpixel.runtime.atomic_files import check_new_folder

    check_new_folder(out)
    check_outside(out, (valid,))
    model = load_model(run)
    part = None if split == "all" else split
    opened: ImageSet | Pictures
    if takes_pictures(model, images):
        opened, split = valid_part(model, open_pictures_for(model, valid, images, part), split)
    else:
        opened, split = valid_part(model, open_for(model, valid, images, part, vectors=vectors), split)
    name = name or out.resolve().name
    words = ["nextpixel", "evaluate", name, Path(valid).name if Path(valid).is_absolute() else valid]
    words += ["--split", split]
    # What the record of the model says anyway need not be said again.
    words += [] if images == stored_options(model, DataOptions()) else _flags(images)
    words += [] if vectors is None else ["--vectors", vectors.name]
    done = write(
        run,
        out,
        opened,
        name=name,
        evaluated_by=shlex.join(words),
        hardware=hardware,
        limits=limits,
        intended_use=intended_use,
        storage=dtype,
        fraction_bits=fraction_bits,
        outputs=outputs,
        onnx=onnx,
        push=push,
        progress=progress,
    )
    stored = stored_as(dtype, fraction_bits)
    say(f"{opened.name}: {done.likelihood}; storing in {stored} changed the nats by {done.change:+.4%}")
    say(done.report)
    if done.twin_cost is not None:
        tell = warn if done.twin_cost > MOST_TWIN_COST else say
        tell(f"its integer twin, which compresses, changes the bits by {done.twin_cost:+.2%}")
    if done.onnx_difference is not None:
        say(f"as ONNX a sub-pixel differs by {done.onnx_difference:.0e} nats at most")
    say(f"model folder, {done.size:,} bytes: {out}")
    if done.address is not None:
        say(f"pushed: {done.address}")


def _flags(options: DataOptions) -> list[str]:
    """The options of a command that are not the defaults, as one writes them."""
    words: list[str] = []
    for field in fields(DataOptions):
        value = getattr(options, field.name)
        if value != field.default:
            words += [f"--{field.name.replace('_', '-')}", *([] if value is True else [str(value)])]
    return words

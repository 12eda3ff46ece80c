"""Exporting a trained model: a small folder with weights in half precision and a full model card.

What is exported is looked at as it lies in the folder: the stored weights are loaded again, evaluated, checked and
drawn from. Where half precision changes the likelihood by more than `MOST_CHANGE`, nothing is written.
"""

from __future__ import annotations

import math
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import torch
from torch import Tensor, nn

from nextpixel.codec.codec import check_compresses
from nextpixel.codec.outlook import MOST_TWIN_COST, PICTURES_LOOKED_AT, outlook
from nextpixel.data.memory import as_image_set
from nextpixel.data.pictures import Pictures
from nextpixel.errors import InputError, ModelError
from nextpixel.families.set_condition import conditioned
from nextpixel.model_files.card import CURVE, SAMPLES
from nextpixel.model_files.hub import check_push
from nextpixel.model_files.hub import push as put_on_hub
from nextpixel.model_files.likelihood import Likelihood
from nextpixel.model_files.loading import load
from nextpixel.model_files.record import Validation
from nextpixel.model_files.saving import save
from nextpixel.model_files.shipped import find_model
from nextpixel.nn.conditions import Labels, checked_values
from nextpixel.onnx_export import check_onnx, write_onnx
from nextpixel.rendering.curve import learning_curve
from nextpixel.rendering.figure import check_charts
from nextpixel.rendering.grid import grid, save_picture
from nextpixel.runtime.atomic_files import check_new_folder, whole_folder
from nextpixel.runtime.progress import SILENT, Progress
from nextpixel.runtime.validation import integer
from nextpixel.scoring.images import Images
from nextpixel.scoring.likelihood import check_pictures, dimensions_of, evaluate, log_probs
from nextpixel.training.run_folder import RunFolder, read_metrics, read_settings
from nextpixel.verify import CausalityReport, check_causality, stepwise_difference

if TYPE_CHECKING:
    from nextpixel.data import ImageSet
    from nextpixel.families.base import ImageModel

Storage = Literal["float16", "bfloat16", "float32"]

MOST_CHANGE = 1e-4
"""The part of its likelihood by which storing a model may change it."""

FRACTION_BITS: dict[Storage, int] = {"float16": 10, "bfloat16": 7, "float32": 23}
"""After the leading one, in what is stored."""

MOST_DIFFERENCE = 1e-4
"""Nats by which the stepwise computation may differ from the parallel one."""

ONNX = "model.onnx"
COLUMNS, SEED, QUANTILES = 10, 0, 101
ROWS, ROWS_IN_COLOUR = 6, 3
"""Of samples. Coloured ones hardly pack: sixty of 64 x 64 take more bytes than the weights of nextpixel/photographs."""


@dataclass(frozen=True)
class Exported:
    """What was exported.

    Attributes:
        likelihood: of the stored weights.
        change: by which part storing changed the nats; positive where they are more.
        report: what `check_causality` found.
        twin_cost: by which part the model's integer twin, which compresses, needs more bits than the model; None where
            it has none.
        size: bytes of the folder.
        address: where the folder is to be seen on the Hugging Face hub; None where it was not pushed.
        onnx_difference: by how many nats a sub-pixel's log-probability differs in the ONNX file at most; None without.
    """

    likelihood: Likelihood
    change: float
    report: CausalityReport
    size: int
    twin_cost: float | None
    address: str | None = None
    onnx_difference: float | None = None


def export(
    run: str | Path,
    out: str | Path,
    valid: Images,
    *,
    name: str | None = None,
    evaluated_by: str | None = None,
    hardware: str | None = None,
    limits: str | None = None,
    intended_use: str | None = None,
    storage: Storage = "float16",
    fraction_bits: int | None = None,
    outputs: int | None = None,
    onnx: bool = False,
    push: str | None = None,
    progress: Progress = SILENT,
) -> Exported:
    """Write a model folder that is small and says all that is known of the model.

    Args:
        run: a run or model folder.
        out: a new or an empty folder; it appears whole or not at all.
        valid: images that the model was not trained on, with its conditions: a set, integers `[N, C, H, W]`, or, for a
            model of any size, pictures.
        name: what the card calls the model; None for the name of the folder.
        evaluated_by: what the card says of the command that gives the likelihood again.
        hardware: on which the run was made, if its record does not say so.
        limits: sentences for the card, added to those which hold for every model.
        intended_use: sentences for the card, instead of the usual ones.
        storage: the type of the stored weights.
        fraction_bits: bits that a weight keeps after its leading one, the rest being rounded to zeros, which an archive
            or a wheel packs: float16 with 6 of its 10 takes a third less there. None keeps what `storage` holds.
        outputs: how many outputs `check_causality` looks at; None for all.
        onnx: whether to add the parallel pass as `model.onnx`; see `nextpixel.onnx_export.write_onnx` (extra `onnx`).
        push: `hf:USER/NAME`, where the folder is put on the Hugging Face hub too (extra `hub`); None for nowhere.
        progress: hears of the progress.

    Raises:
        ModelError: the folder is no model's, storing would change its likelihood by more than `MOST_CHANGE`, or it
            fails the check; or it cannot be pushed, and is left in `out`.
        InputError: the bits are out of range, the images do not fit, the folder cannot be written, or matplotlib is not
            installed.
    """
    out = Path(out)
    check_new_folder(out)
    check_charts()
    if fraction_bits is not None:
        integer(f"fraction_bits of {storage}", fraction_bits, 1, FRACTION_BITS[storage], error=InputError)
    if onnx:
        check_onnx()
    if push is not None:
        check_push(push)
    original = load(run)
    specification = original.condition if original.needs_condition else None
    if isinstance(valid, Pictures):
        check_pictures(original, valid)
    else:
        valid = conditioned(as_image_set(valid, original.levels), specification)
    dimensions, sub_pixels = dimensions_of(original, valid), math.prod(original.image_shape)
    with progress.task("evaluating", len(valid)) as advance:
        before = evaluate(original, valid, advance=advance)
    stored = stored_as(storage, fraction_bits)
    with whole_folder(out) as folder:
        if fraction_bits is not None:
            round_fractions(original, fraction_bits)
        save(original, folder, storage=storage)
        model = load(folder)
        if not all(bool(weight.isfinite().all()) for weight in model.parameters()):
            raise ModelError(f"{storage} cannot hold the weights of {run}; export it with --dtype float32")
        with progress.task(f"evaluating {storage}", len(valid)) as advance:
            nats = -log_probs(model, valid, advance=advance)
        after = Likelihood.of(nats, dimensions)
        change = (after.nats - before.nats) / max(abs(before.nats), 1e-12)
        if not abs(change) <= MOST_CHANGE:
            raise ModelError(
                f"stored in {stored}, {run} needs {after.nats:.4f} nats per image instead of {before.nats:.4f}, a "
                f"change of more than {MOST_CHANGE:.2%}; export it with "
                + ("--dtype float32" if fraction_bits is None else "more --fraction-bits")
            )
        with progress.task("causality", 2 * min(sub_pixels, outputs or sub_pixels)) as advance:
            report = check_causality(model, outputs=outputs, advance=advance)
        with progress.task("stepwise", 2 * sub_pixels) as advance:
            difference = stepwise_difference(model, advance=advance)
        if not (report.ok and difference < MOST_DIFFERENCE):
            raise ModelError(f"{run} fails `nextpixel check`, so it is not exported; run that to see why")
        onnx_difference = write_onnx(model, folder / ONNX) if onnx else None
        twin_cost = _twin_cost(model, valid)
        condition, told = _conditions(model, valid)
        count = _rows(model) * COLUMNS if condition is None else len(next(iter(condition.values())))
        generator = torch.Generator().manual_seed(SEED)
        with progress.task("drawing", count * sub_pixels) as advance:
            images = model.sample(count, condition, generator=generator, advance=advance)
        save_picture(grid(images, model.levels, columns=COLUMNS), folder / SAMPLES)
        settings = read_settings(find_model(run))
        metrics = [line for line in read_metrics(RunFolder(find_model(run)).metrics) if "seconds" in line]
        record = model.record
        if metrics and record.trained is None:
            record.trained = (
                f"{metrics[-1]['step']:,} steps of {settings.get('batch_size', '?')} images, "
                f"{metrics[-1]['seconds'] / 60:.1f} minutes, stopped before its end"
            )
        record.validations = [
            Validation(line["step"], line["seconds"], line["valid_nats"]) for line in metrics if "valid_nats" in line
        ] or record.validations
        if record.validations:
            per_dim = 1 / (float(torch.as_tensor(dimensions).double().mean()) * math.log(2))
            learning_curve(
                [
                    {"step": validation.step, "valid_bits_per_dim": per_dim * validation.nats}
                    for validation in record.validations
                ],
                folder / CURVE,
            )
        record.name = name or out.resolve().name
        record.storage = (
            storage if stored == "float32" else f"{stored}, which changes the nats by {change:+.4%} against float32"
        )
        record.parameters = sum(parameter.numel() for parameter in model.parameters())
        record.protocol = protocol(valid)
        record.validation = f"{valid.name}: {after}"
        record.likelihood = after
        record.quantiles = nats.quantile(torch.linspace(0, 1, QUANTILES, dtype=nats.dtype)).tolist()
        record.causality = "; ".join(f"{report}\nstepwise equals parallel to {difference:.0e} nats".splitlines())
        record.samples = f"{told}, drawn with seed {SEED} at temperature 1, not chosen."
        record.limits = _limits(model, limits, twin_cost)
        record.intended_use = intended_use or (
            "Examples, teaching, and comparison of likelihoods under the protocol above; scoring, completing and "
            "compressing images like those it was trained on."
        )
        record.hardware = record.hardware or hardware or "not recorded"
        record.evaluated_by = evaluated_by or record.evaluated_by
        record.settings = settings or record.settings
        if record.command is not None:
            record.command = without_folders(record.command)
        if record.begun is not None:
            folder_begun, comma, trained = record.begun.partition(", ")
            record.begun = _without_folders(folder_begun) + comma + trained
        save(model, folder, storage=storage)
        size = sum(path.stat().st_size for path in folder.iterdir())
    address = None if push is None else put_on_hub(out, push)
    return Exported(after, change, report, size, twin_cost, address, onnx_difference)


def stored_as(storage: Storage, fraction_bits: int | None) -> str:
    """How weights are stored, in words."""
    return storage if fraction_bits is None else f"{storage} with {fraction_bits} bits of fraction"


def round_fractions(model: nn.Module, bits: int) -> None:
    """Round the weights of a model, in place, to so many bits after the leading one.

    Args:
        model: whose parameters are rounded.
        bits: 1 to 23, as many as float32 has.
    """
    with torch.no_grad():
        for weight in model.parameters():
            fraction, exponent = torch.frexp(weight)
            # A fraction of frexp is at least one half: its first bit is the leading one.
            weight.copy_(torch.ldexp((fraction * 2 ** (bits + 1)).round() / 2 ** (bits + 1), exponent))


def without_folders(command: str) -> str:
    """A command with absolute paths cut to their last part: where files lay is nobody's business."""
    try:
        words = shlex.split(command)
    except ValueError:
        words = command.split()
    return shlex.join(map(_without_folders, words))


def _without_folders(word: str) -> str:
    flag, equals, value = word.partition("=")
    if flag.startswith("--") and equals:
        return f"{flag}={_without_folders(value)}"
    return Path(word).name or "/" if Path(word).is_absolute() else word


def protocol(images: ImageSet | Pictures) -> str:
    """What the integers of a set are, which likelihoods depend on."""
    if isinstance(images, Pictures):
        return f"{images.levels} levels"
    if images.dynamic:
        return "2 levels, dynamic binarisation: drawn anew at every use; not comparable with fixed binarisation"
    if images.binarize is not None:
        return f"2 levels, fixed binarisation, made by nextpixel ({images.binarize}); not the published binary files"
    if images.levels == 2:
        return "2 levels, fixed binarisation, as the file has it"
    return f"{images.levels} levels"


def _rows(model: ImageModel) -> int:
    return ROWS if model.image_shape[0] == 1 else ROWS_IN_COLOUR


def _conditions(model: ImageModel, valid: ImageSet | Pictures) -> tuple[dict[str, Tensor] | None, str]:
    """The conditions of the samples that the card shows, a row of the picture for each, and what they are."""
    if model.condition is None or isinstance(valid, Pictures):
        return None, f"{_rows(model) * COLUMNS} samples"
    if isinstance(model.condition, Labels):
        rows = min(model.condition.count, COLUMNS)
        labels = torch.arange(rows).repeat_interleave(COLUMNS)
        return model.condition_values(
            labels, len(labels)
        ), f"{COLUMNS} samples of each of the first {rows} classes, a row each"
    chosen = torch.arange(_rows(model)).repeat_interleave(COLUMNS) % len(valid)
    with torch.no_grad():
        values = model.conditions_for(model.checked_images(valid.batch(chosen)), valid.condition_of(chosen))
    return values, f"{COLUMNS} samples for each condition of the first {_rows(model)} validation images, a row each"


def _twin_cost(model: ImageModel, valid: ImageSet | Pictures) -> float | None:
    """What `Exported` says, by a few of the images."""
    try:
        check_compresses(model)
    except ModelError:
        return None
    some = torch.arange(0, len(valid), -(-len(valid) // PICTURES_LOOKED_AT))
    if isinstance(valid, Pictures):
        return outlook(model, [valid[int(index)] for index in some]).twin_cost
    values = checked_values(model.condition, valid.condition_of(some), len(some))
    return outlook(model, list(valid.batch(some)), next(iter(values.values()), None)).twin_cost


def _limits(model: ImageModel, more: str | None, twin_cost: float | None) -> str:
    lines = [
        "It knows images of this kind, size and number of levels; what it says of others means little. Its likelihood "
        "alone is no anomaly score between kinds of images.",
        "One training with one seed. The weights are the best by validation among those of the run, so the figure "
        "above is of images that chose them, not of a test set.",
    ]
    if model.condition is not None and not model.needs_condition:
        lines.append(
            "An autoencoder encodes each image first: its figure is the likelihood of reconstructions, not a density "
            "of images, and not comparable with other models'."
        )
    if twin_cost is not None and twin_cost > MOST_TWIN_COST:
        lines.append(f"Files that it compresses are {twin_cost:.1%} larger than its likelihood says.")
    return " ".join([*lines, *([more] if more else [])])

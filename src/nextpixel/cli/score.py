"""`nextpixel score`."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter

from nextpixel.cli.destinations import Force, check_outside
from nextpixel.cli.options import DataOptions, load_model, open_for, open_pictures_for, takes_pictures
from nextpixel.errors import InputError
from nextpixel.runtime.progress import Advance
from nextpixel.runtime.quoting import harmless_cell, short_name

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from nextpixel.data import ImageSet
    from nextpixel.data.pictures import Pictures
    from nextpixel.families.base import ImageModel
    from nextpixel.scoring.anomaly import Scorer, Scores

FORMATS = (".csv", ".jsonl")


def score(
    run: Path,
    data: str,
    *,
    out: Path,
    background: Path | None = None,
    normal: str | None = None,
    by: Literal["nats", "typicality", "complexity", "ratio"] = "complexity",
    threshold: float | None = None,
    maps: Path | None = None,
    summary: Path | None = None,
    split: str | None = None,
    own_labels: Annotated[bool, Parameter(negative="")] = False,
    formula_guard: bool = True,
    vectors: Path | None = None,
    images: DataOptions = DataOptions(),
    force: Force = Force(),
) -> None:
    """Tell how likely each image is, and how unusual; draw heat maps of the bits.

    Writes a table with a row for each image: nats, bits_per_dim, and scores, which are higher for more unusual images:
    typicality (distance of the nats from their normal mean), complexity (bits/dim beyond those of a JPEG XL or WebP
    file), and with --background the ratio (nats beyond those of a background model). With --normal also p_value: of
    images that are like the normal ones, on average at most one in a hundred has a p_value of 0.01 or less.

    Args:
        run: Run or model folder.
        data: Images; see `nextpixel --help`.
        out: The table, .csv or .jsonl.
        background: Run folder of a background model; see `nextpixel train --background-of`.
        normal: Held-out images that are as they should be, for p-values and typicality.
        by: The score from which p-values, threshold and summary are made.
        threshold: Call images anomalous at this rate of false alarms, such as 0.01. Needs --normal.
        maps: Folder for heat maps of the bits of every pixel, with the same colours for all images.
        summary: A picture of the histogram, and of the images with the lowest and highest scores. Needs: pip install
            'nextpixel[plots]'.
        split: train, valid or test; by default all.
        own_labels: Score each image as one of its own class, with a model of labels; by default the likelihood is that
            whatever the class, and the table tells how probable each class is.
        formula_guard: In a .csv, put an apostrophe before names that a spreadsheet program would take for formulas.
        vectors: File of the images' vectors, for a model conditioned on vectors; see `nextpixel train --help`.
        images: How images are read.
        force: What may be replaced.
    """
    from nextpixel.cli.output import progress, say, warn
    from nextpixel.data.pictures import Pictures
    from nextpixel.families.set_condition import conditioned
    from nextpixel.rendering.figure import check_charts
    from nextpixel.rendering.grid import picture_format
    from nextpixel.rendering.scores import panels
    from nextpixel.rendering.scores import summary as draw_summary
    from nextpixel.runtime.atomic_files import check_new_folder, write_result
    from nextpixel.scoring.anomaly import Scorer, calibrated

    if out.suffix.lower() not in FORMATS:
        raise InputError(f"--out {out} must end with {' or '.join(FORMATS)}")
    if len({out, maps, summary}) < 3 and (maps or summary):
        raise InputError("--out, --maps and --summary must differ")
    read = (data, normal, vectors)
    force.check_file(out, read)
    if maps is not None:
        check_new_folder(maps)
        check_outside(maps, read)
    if summary is not None:
        force.check_file(summary, read)
        if picture_format(summary) != "PNG":
            raise InputError(f"--summary {summary} must end with .png")
        check_charts()
    model = load_model(run)
    scorer = Scorer(model, _background(model, background))

    def opened(source: str, part: str | None, file: Path | None) -> ImageSet | Pictures:
        if takes_pictures(model, images):
            return open_pictures_for(model, source, images, part)
        opened_set = open_for(model, source, images, part, vectors=file, own_condition=own_labels)
        return conditioned(opened_set, model.condition) if own_labels else opened_set

    scored = opened(data, split, vectors)
    normal_images = None if normal is None else opened(normal, None, None)
    total = len(scored) + (0 if normal_images is None else len(normal_images))
    with progress.task("scoring", total) as advance:
        scorer = calibrated(
            scorer, normal_images, by=by if normal is not None else None, false_alarms=threshold, advance=advance
        )
        if by not in scorer.scores:
            raise InputError(f"--by {by} needs {'--background' if by == 'ratio' else '--normal'}")
        table = _write(out, scorer, scored, by, advance, formula_guard)
    if model.condition is not None and not model.needs_condition:
        warn("an autoencoder encodes each image first: these are likelihoods of reconstructions, not a density")
    say(_told(scorer, table, by, out))
    if summary is not None:
        if isinstance(scored, Pictures):
            raise InputError("--summary shows images of one size; leave it out, or bring them to one with --resize")
        shown = panels(table["nats"], table[by], by)
        calibration = scorer.calibration
        drawn = draw_summary(
            table[by],
            by,
            [(panel.title, scored[panel.places]) for panel in shown],
            model.levels,
            normal=None if calibration is None else calibration.scores,
            threshold=None if calibration is None or threshold is None else calibration.threshold(threshold),
        )
        write_result(summary, drawn)
        say(f"summary: {summary}")
    if maps is not None:
        _write_maps(maps, model, scored)


def _background(model: ImageModel, folder: Path | None) -> ImageModel | None:
    if folder is None:
        return None
    background = load_model(folder)
    wanted, other = ((trained.image_shape, trained.levels, trained.condition) for trained in (model, background))
    if wanted != other:
        raise InputError(
            f"--background {folder} takes other images or conditions than the model; make one with "
            "nextpixel train --background-of"
        )
    return background


def _write(
    out: Path,
    scorer: Scorer,
    images: ImageSet | Pictures,
    by: str,
    advance: Advance,
    formula_guard: bool,
) -> Scores:
    """Write the table while it is made, and keep the columns that are told of afterwards."""
    import numpy as np

    from nextpixel.runtime.atomic_files import writing_result
    from nextpixel.scoring.anomaly import Scores, score_batches

    kept: dict[str, list[NDArray[np.generic]]] = {}
    names = images.names
    labels = None if images.labels is None else images.labels.tolist()
    done = 0
    with writing_result(out) as file:
        for columns in score_batches(scorer, images, advance=advance):
            part = Scores(columns)
            for row in part:
                entries: dict[str, object] = {"image": names[done] if names else done}
                if labels is not None:
                    entries["given_label"] = images.label_names[labels[done]] if images.label_names else labels[done]
                file.write(_line(entries | row, out.suffix.lower(), first=done == 0, formula_guard=formula_guard))
                done += 1
            for name in {"nats", "bits_per_dim", by, "anomalous"} & set(columns):
                kept.setdefault(name, []).append(columns[name])
    return Scores({name: np.concatenate(parts) for name, parts in kept.items()})


def _line(row: dict[str, object], form: str, *, first: bool, formula_guard: bool) -> bytes:
    """A row as the file has it, the first one of a .csv after the names of the columns."""
    from nextpixel.runtime.strict_json import as_json

    if form == ".jsonl":
        return f"{as_json(row)}\n".encode()
    text = io.StringIO(newline="")
    # A name with a carriage return is quoted only where lines end with one; ours do not.
    writer = csv.writer(text, lineterminator="\r\n")

    def cell(value: object) -> object:
        if isinstance(value, float):
            return f"{value:.8g}"
        return harmless_cell(value) if formula_guard and isinstance(value, str) else value

    lines = []
    for values in ((row,) if first else ()) + (row.values(),):
        text.truncate(text.seek(0))
        writer.writerow(map(cell, values))
        lines.append(text.getvalue().removesuffix("\r\n") + "\n")
    return "".join(lines).encode(errors="backslashreplace")


def _told(scorer: Scorer, table: Scores, by: str, out: Path) -> str:
    """What the user sees at the end."""
    parts = [
        f"{len(table):,} images, mean {table['nats'].mean():.3f} nats, {table['bits_per_dim'].mean():.4f} "
        f"bits/dim; complexity measured against {scorer.complexity_format}: {out}"
    ]
    if scorer.calibration is not None and scorer.false_alarms is not None:
        anomalies = int(table["anomalous"].sum())
        limit = scorer.calibration.threshold(scorer.false_alarms)
        parts.append(
            f"{anomalies} of {len(table):,} are anomalous: {by} above {limit:.6g}, at most {scorer.false_alarms:.2%} "
            f"false alarms by {len(scorer.calibration.scores):,} normal images"
        )
    return "\n".join(parts)


def _write_maps(folder: Path, model: ImageModel, images: ImageSet | Pictures) -> None:
    """Two passes: the colours are to mean the same for all images, so the most of any pixel is found first."""
    from nextpixel.cli.output import progress, say
    from nextpixel.rendering.grid import save_picture
    from nextpixel.rendering.heat import heat_map
    from nextpixel.runtime.atomic_files import whole_folder
    from nextpixel.scoring.maps import bit_maps

    with progress.task("heat maps", 2 * len(images)) as advance:
        top = 0.0
        for batch, bits in bit_maps(model, images):
            top = max(top, float(bits.max()))
            advance(len(batch))
        names = _file_names(images)
        with whole_folder(folder) as hidden:
            for batch, bits in bit_maps(model, images):
                for image, image_bits in zip(batch, bits, strict=True):
                    save_picture(heat_map(image, model.levels, image_bits, max(top, 1e-9)), hidden / next(names))
                advance(len(batch))
    say(f"heat maps: {folder}; the brightest colour is {top:.2f} bits a pixel")


def _file_names(images: ImageSet | Pictures) -> Iterator[str]:
    """A name for the map of each image, which tells whose it is; none leads out of the folder."""
    digits = len(str(len(images) - 1))
    for number in range(len(images)):
        stem = "" if images.names is None else "-" + Path(images.names[number]).with_suffix("").as_posix()
        safe = "".join(character if character.isalnum() or character in "-_." else "_" for character in stem)
        yield f"{number:0{digits}d}{short_name(safe, 120)}.png"

"""Scores of single images: likelihood, and how far an image is from normal. `nextpixel.score` makes a table of them.

The likelihood alone is known to fail at telling apart two kinds of images: smooth ones are likely under any model.
Four scores stand beside each other; in each, more is stranger:

    nats            -log p(x)
    typicality      | -log p(x) - mean of -log p over normal images |               Nalisnick et al. 2019
    complexity      bits/dim of the model - bits/dim of a lossless picture file     Serra et al. 2020
    ratio           log p(x | background) - log p(x), in nats                       Ren et al. 2019

The background model was trained on images of which a part of the sub-pixels is replaced at random
(`nextpixel train --background-of RUN`): it knows what is common to all images, and not what these show. The file
format is JPEG XL where it is installed, else WebP; its bits contain the header, the same for every image.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, overload

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from nextpixel.data.decode import to_image
from nextpixel.data.pictures import Pictures
from nextpixel.errors import InputError
from nextpixel.families.base import check_model
from nextpixel.nn.conditions import Labels, Values
from nextpixel.runtime.distributed import current
from nextpixel.runtime.html import rows_table
from nextpixel.runtime.precision import evaluating
from nextpixel.runtime.progress import Advance
from nextpixel.scoring.calibration import Calibration
from nextpixel.scoring.images import Images
from nextpixel.scoring.likelihood import check_finite, numbers
from nextpixel.scoring.posterior import batches_to_score, posterior
from nextpixel.scoring.references import Format, has_jpeg_xl, quick_size

if TYPE_CHECKING:
    from nextpixel.families.base import ImageModel

SCORES = ("nats", "typicality", "complexity", "ratio")
DEFAULT_SCORE = "complexity"
Columns = dict[str, NDArray[Any]]
ROWS_SHOWN = 10
"""In a notebook."""


class Scores(Sequence[dict[str, Any]]):
    """A table, a row an image: `scores["nats"]` is a column, `scores[3]` the row of image 3 as a dict.

    Args:
        columns: arrays `[N]` by name, in order.

    Attributes:
        columns: as given.
    """

    def __init__(self, columns: Columns) -> None:
        self.columns = columns

    def __len__(self) -> int:
        return len(self.columns["nats"])

    @overload
    def __getitem__(self, key: str) -> NDArray[np.float64]: ...
    @overload
    def __getitem__(self, key: int) -> dict[str, Any]: ...
    @overload
    def __getitem__(self, key: slice) -> Sequence[dict[str, Any]]: ...
    def __getitem__(self, key: str | int | slice) -> NDArray[np.float64] | dict[str, Any] | Sequence[dict[str, Any]]:
        if isinstance(key, str):
            return self.columns[key]
        if isinstance(key, slice):
            return Scores({name: column[key] for name, column in self.columns.items()})
        if not -len(self) <= key < len(self):
            raise IndexError(f"there are {len(self)} scored images, not an image {key}")
        return {name: column[key].item() for name, column in self.columns.items()}

    def __repr__(self) -> str:
        return f"<Scores of {len(self)} images: {', '.join(self.columns)}>"

    def _repr_html_(self) -> str:
        rows = [[str(number), *map(_cell, self[number].values())] for number in range(min(len(self), ROWS_SHOWN))]
        rest = len(self) - len(rows)
        foot = f"and {rest:,} more" if rest else ""
        return rows_table(f"Scores of {len(self):,} images", ["image", *self.columns], rows, foot)


def _cell(value: object) -> str:
    """A value of a table for people."""
    return f"{value:.4g}" if isinstance(value, float) else str(value)


class Scorer(NamedTuple):
    """What images are scored by.

    Attributes:
        model: the model.
        background: a background model, for the ratio.
        typical: mean nats of normal images, for the typicality.
        calibration: scores of normal images, for p-values.
        false_alarms: the rate of false alarms at which an image is called anomalous; None calls none.
    """

    model: ImageModel
    background: ImageModel | None = None
    typical: float | None = None
    calibration: Calibration | None = None
    false_alarms: float | None = None

    @property
    def complexity_format(self) -> Format:
        """What the complexity is measured by."""
        return "JPEG XL" if has_jpeg_xl() else "WebP"

    @property
    def scores(self) -> tuple[str, ...]:
        """The anomaly scores that can be had."""
        have = {"typicality": self.typical is not None, "ratio": self.background is not None}
        return tuple(name for name in SCORES if have.get(name, True))


def score(
    model: ImageModel,
    images: Images,
    condition: Values | None = None,
    *,
    background: ImageModel | None = None,
    normal: Images | None = None,
    by: str | None = None,
    false_alarms: float | None = None,
    advance: Advance | None = None,
) -> Scores:
    """Score images one by one.

    Args:
        model: the model.
        images: a set, or integers `[N, C, H, W]` as a tensor or an array.
        condition: one an image or one for all. Without it, a model of labels gives the likelihood whatever the class,
            and the class; other conditional models take the conditions of the set.
        background: a background model, for the ratio.
        normal: held-out images that are as they should be, for p-values, and for the typicality, which otherwise takes
            the mean of the model's own validation.
        by: the score that p-values are of, one of `SCORES`.
        false_alarms: a rate; images whose p-value is not above it are called anomalous. Needs `normal`.
        advance: called with numbers of images done, those of `normal` included.

    Returns:
        The columns `nats`, `bits_per_dim`, `typicality`, `complexity` and `ratio`, as far as they can be had;
        for a model of labels `label`, its `label_probability` and the probability of every class; with `normal`
        `p_value`, and with `false_alarms` `anomalous`.

    Raises:
        InputError: the images do not fit the model, or an argument is out of range.
    """
    check_model(model)
    if background is not None:
        check_model(background)
    knows = [value is not None for value in (condition, getattr(images, "condition", None))]
    if normal is not None and isinstance(model.condition, Labels):
        of_normal = _for_all(model, condition) is not None or getattr(normal, "condition", None) is not None
        if any(knows) != of_normal:
            raise InputError("give the classes of both the images and the normal images, or of neither")
    scorer = calibrated(Scorer(model, background), normal, condition, by=by, false_alarms=false_alarms, advance=advance)
    parts = list(score_batches(scorer, images, condition, advance=advance))
    return Scores({name: np.concatenate([part[name] for part in parts]) for name in parts[0]})


def calibrated(
    scorer: Scorer,
    normal: Images | None,
    condition: Values | None = None,
    *,
    by: str | None = None,
    false_alarms: float | None = None,
    advance: Advance | None = None,
) -> Scorer:
    """A scorer that knows what is normal, from held-out normal images or from the model's own validation.

    Raises:
        InputError: see `score`.
    """
    # A model of labels was validated with the classes given, which is another likelihood than that whatever the class.
    stored = None if isinstance(scorer.model.condition, Labels) else scorer.model.record.likelihood
    prepared = scorer._replace(typical=None if stored is None else stored.nats)
    if by is not None and by not in SCORES:
        raise InputError(f"there is no score {by!r}; the scores are {', '.join(SCORES)}")
    if normal is None:
        if false_alarms is not None or by is not None:
            raise InputError("p-values and thresholds need held-out normal images; give some")
        return prepared
    by = by or DEFAULT_SCORE
    if by == "ratio" and scorer.background is None:
        raise InputError("the ratio needs a background model; train one with nextpixel train --background-of")
    values = _for_all(scorer.model, condition)
    parts = list(score_batches(prepared._replace(typical=0.0), normal, values, advance=advance))
    nats = np.concatenate([part["nats"] for part in parts])
    if by == "typicality":
        # What is typical is learned from one half, so that the other half is as new to it as the images are.
        half = len(nats) // 2
        typical = float(nats[:half].mean()) if half else 0.0
        scores = np.abs(nats[half:] - typical)
    else:
        typical, scores = float(nats.mean()), np.concatenate([part[by] for part in parts])
    calibration = Calibration(by, scores)
    if false_alarms is not None:
        calibration.check_rate(false_alarms)
    return prepared._replace(typical=typical, calibration=calibration, false_alarms=false_alarms)


def _for_all(model: ImageModel, condition: Values | None) -> Values | None:
    """A condition that is given once for all images; None if there is none, or one for each."""
    if condition is None:
        return None
    several = condition if isinstance(condition, dict) else {"": condition}
    alone = all(np.ndim(value) == 0 or len(value) == 1 for value in several.values())
    if isinstance(model.condition, Labels) and not alone:
        return None
    return condition if alone else None


@torch.no_grad()
def score_batches(
    scorer: Scorer,
    images: Images,
    condition: Values | None = None,
    *,
    advance: Advance | None = None,
) -> Iterator[Columns]:
    """The columns of `score`, for some images at a time, in order; memory does not grow with the number of images.

    Raises:
        InputError: the images do not fit the model, or the background model.
        ModelError: the weights of one of them are not finite numbers.
    """
    if isinstance(images, Pictures):
        # Nats are typical of one size.
        scorer = scorer._replace(typical=None)
    for model in filter(None, (scorer.model, scorer.background)):
        check_finite(model)
    unread = batches_to_score(scorer.model, images, condition)
    with evaluating(scorer.model):
        for columns in current().each(unread, lambda batch: _scores(scorer, *batch.read())):
            yield columns
            if advance is not None:
                advance(len(columns["nats"]))


def _likelihood(model: ImageModel, batch: Tensor, condition: Values | None) -> tuple[Columns, NDArray[np.float64]]:
    """The nats of images, and what is known of their classes."""
    if condition is not None or not isinstance(model.condition, Labels):
        return {}, -numbers(model.log_prob(batch, condition).double().cpu()).numpy()
    by_class = posterior(model, batch)
    names = model.condition.names or tuple(map(str, range(model.condition.count)))
    probabilities = by_class.log_probs.exp().numpy()
    best = probabilities.argmax(axis=1)
    columns = {"label": np.array(names)[best], "label_probability": probabilities.max(axis=1)}
    columns |= {f"p({name})": probabilities[:, number] for number, name in enumerate(names)}
    return columns, -by_class.map.flatten(1).sum(dim=1).numpy()


def _scores(scorer: Scorer, batch: Tensor, condition: Values | None) -> Columns:
    """The columns of some images."""
    classes, nats = _likelihood(scorer.model, batch, condition)
    dimensions = math.prod(batch.shape[1:])
    bits = nats / (dimensions * math.log(2))
    columns: Columns = {"nats": nats, "bits_per_dim": bits}
    if scorer.typical is not None:
        columns["typicality"] = np.abs(nats - scorer.typical)
    sizes = [quick_size(to_image(image.numpy()), scorer.complexity_format) for image in batch.cpu().byte()]
    columns["complexity"] = bits - 8 * np.array(sizes) / dimensions
    if scorer.background is not None:
        with evaluating(scorer.background):
            columns["ratio"] = nats - _likelihood(scorer.background, batch, condition)[1]
    if scorer.calibration is not None:
        p_values = scorer.calibration.p_values(columns[scorer.calibration.by])
        columns["p_value"] = p_values
        if scorer.false_alarms is not None:
            columns["anomalous"] = p_values <= scorer.false_alarms
    return columns | classes

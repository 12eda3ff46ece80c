"""`ImageSet`: images of one shape and number of levels, read from mapped memory a batch at a time."""

from __future__ import annotations

import functools
import hashlib
import operator
from collections.abc import Sequence
from dataclasses import replace
from typing import SupportsIndex, cast

import numpy as np
import torch
from numpy.typing import NDArray

from nextpixel.data.levels import Binarize, LevelTransform, check_word
from nextpixel.data.parts import places_held_out, places_of_split
from nextpixel.data.preview import SHOWN, set_html
from nextpixel.data.reading import Reading
from nextpixel.data.source import NO_LABEL, Labels
from nextpixel.data.table import Table
from nextpixel.errors import DataError

Indices = slice | Sequence[int] | NDArray[np.generic] | torch.Tensor

Values = torch.Tensor | dict[str, torch.Tensor]

FINGERPRINT_BYTES = 1 << 26
"""A fingerprint looks at every image of a set up to this size, and at evenly spaced ones of a larger set."""


class ImageSet:
    """Images of one shape and number of levels; `nextpixel.open_images` makes them.

    A set behaves as a sequence: `len(s)`; `s[i]` is uint8 `[C, H, W]`; `s[a:b]` or `s[indices]` is
    uint8 `[B, C, H, W]`. Pixels stay on disk until they are asked for.

    Args:
        table: all images of the source.
        transform: how stored integers become served ones.
        rows: int64 `[N]`: which images of the source the set holds, in order.
        splits: names and sizes of the parts that the rows are made of, in order.
        condition: see `with_condition`.
    """

    def __init__(
        self,
        table: Table,
        transform: LevelTransform,
        rows: Labels,
        splits: dict[str, int],
        condition: Values | None = None,
    ) -> None:
        self._table = table
        self._transform = transform
        self._rows = rows
        self._splits = splits
        self.condition = condition

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, index: SupportsIndex | Indices) -> torch.Tensor:
        if not isinstance(index, slice | torch.Tensor | np.ndarray) and isinstance(index, SupportsIndex):
            return self.batch([operator.index(index)])[0]
        if isinstance(index, torch.Tensor | np.ndarray) and index.ndim == 0:
            return self.batch(index.reshape(1))[0]
        return self.batch(cast(Indices, index))

    def batch(self, indices: Indices, *, draw: int = 0) -> torch.Tensor:
        """Read images; everything that reads pixels comes through here.

        Args:
            indices: a slice, or whole numbers -N..N-1 as a sequence, an array `[B]` or a tensor `[B]`.
            draw: for dynamic binarisation and mutation, which redraw: another number gives other bits. It has no
                effect on other sets.

        Returns:
            uint8 `[B, C, H, W]`, each value below `levels`.

        Raises:
            IndexError: if an index is outside the set.
            TypeError: if the indices are not whole numbers.
            DataError: if `draw` is not a whole number from 0 to 2**64 - 1.
        """
        check_word("draw", draw)
        rows = self._rows[self._positions(indices)]
        order = self._table.layout.order
        stored = np.ascontiguousarray(self._table.pixels[rows if order is None else order[rows]])
        return torch.from_numpy(self._transform.apply(stored, rows, draw))

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """`(C, H, W)` of every image."""
        _, channels, height, width = self._table.pixels.shape
        return channels, height, width

    @property
    def levels(self) -> int:
        """How many levels the integers have, 2 to 256; each integer lies in 0..levels-1."""
        return self._transform.served

    @functools.cached_property
    def labels(self) -> torch.Tensor | None:
        """int64 `[N]`, or None where the source, or one of these images, has no labels."""
        labels = self._table.layout.labels
        rows = None if labels is None else labels[self._rows]
        return None if rows is None or (rows == NO_LABEL).any() else torch.from_numpy(rows)

    @property
    def labels_error(self) -> str | None:
        """Why the labels that lie with the images cannot be used; None if there are none, or nothing is wrong."""
        return self._table.layout.labels_error

    @property
    def label_names(self) -> tuple[str, ...] | None:
        """Names of labels 0, 1, ..., or None."""
        return self._table.layout.label_names

    @functools.cached_property
    def vectors(self) -> torch.Tensor | None:
        """float32 `[N, d]`, or None where the source has no vectors.

        Raises:
            DataError: if the file beside the images that should hold them does not fit.
        """
        if self._table.layout.vectors_error is not None:
            raise DataError(self._table.layout.vectors_error)
        vectors = self._table.layout.vectors
        return None if vectors is None else torch.from_numpy(vectors[self._rows])

    @functools.cached_property
    def names(self) -> tuple[str, ...] | None:
        """Relative file name of every image, or None where they have none."""
        names = self._table.layout.names
        return None if names is None else tuple(names[row] for row in self._rows)

    @property
    def skipped(self) -> tuple[tuple[str, str], ...]:
        """Name and reason of every file of the source that was left out."""
        return self._table.skipped

    @property
    def notes(self) -> tuple[str, ...]:
        """What was done to the images of the source, a phrase each."""
        return self._table.notes + self._transform.notes

    @property
    def splits(self) -> dict[str, int]:
        """Names and sizes of the splits, in order; empty for a source without and for a split or subset."""
        return dict(self._splits)

    @property
    def binarize(self) -> Binarize | None:
        """Which binarisation is in force, if any; also one that was done when the set was prepared."""
        done: Binarize | None = self._table.prepared.get("binarize")
        return self._transform.binarize or done

    @property
    def dynamic(self) -> bool:
        """Whether every `draw` of a batch gives other bits."""
        return self._transform.binarize == "dynamic"

    @property
    def prepared(self) -> dict[str, object]:
        """What `nextpixel.data.prepare` did to the images, by the names of its options; empty for other sources."""
        return dict(self._table.prepared)

    @property
    def reading(self) -> Reading:
        """How the images were read, preparation included; other images of the same model are to be read so too."""
        return Reading.of(self._table.wishes, prepared=self._table.prepared, binarize=self.binarize)

    @property
    def name(self) -> str:
        """Short name of the source."""
        return self._table.name

    @functools.cached_property
    def fingerprint(self) -> str:
        """Hex digest that tells apart sets of other images, labels, levels, binarisation or conditions."""
        transform = self._transform
        about = [
            len(self),
            self.image_shape,
            self.levels,
            transform.binarize,
            transform.seed if transform.binarize else 0,
        ]
        about += [transform.mutation] if transform.mutation else []
        digest = hashlib.blake2b(repr(about).encode(), digest_size=8)
        if self._table.digest is None:
            self._digest_content(digest)
        else:
            # The images have a checksum already; reading a part of some millions would delay every start.
            digest.update(self._table.digest.encode() + self._rows.astype("<i8").tobytes())
        if self.condition is not None:
            conditions = {"": self.condition} if isinstance(self.condition, torch.Tensor) else self.condition
            for name in sorted(conditions):
                digest.update(f"{name} {conditions[name].dtype}".encode() + conditions[name].numpy().tobytes())
        return digest.hexdigest()

    def _digest_content(self, digest: hashlib.blake2b) -> None:
        step = max(1, -(-len(self) * int(np.prod(self.image_shape)) // FINGERPRINT_BYTES))
        for start in range(0, len(self), 256 * step):
            digest.update(self.batch(slice(start, start + 256 * step, step)).numpy().tobytes())
        if self.labels is not None:
            digest.update(self.labels.numpy().astype("<i8").tobytes())

    def split(self, name: str) -> ImageSet:
        """Return one split.

        Raises:
            DataError: if there is none of that name; the message lists those there are.
        """
        return self.subset(places_of_split(self._splits, name, self.name))

    def subset(self, indices: Indices) -> ImageSet:
        """Return the images at some places as a set; binarised images keep the bits they have here."""
        positions = self._positions(indices)
        return ImageSet(self._table, self._transform, self._rows[positions], {}, self.condition_of(positions))

    def hold_out(self, fraction: float) -> tuple[ImageSet, ImageSet]:
        """Divide the set in two, the second for validation; always in the same way, so that runs can be compared.

        Args:
            fraction: the part that is held out, rounded to whole images, of which it is at least one.

        Returns:
            The images to train on and those held out, both in the order they have here.

        Raises:
            DataError: if that leaves no image to train on, or the fraction is not between 0 and 1.
        """
        training, valid = places_held_out(len(self), fraction, self.name, "image")
        return self.subset(training), self.subset(valid)

    def with_condition(self, condition: Values | None) -> ImageSet:
        """Return the set with a condition for each image, which training and scoring hand to the model.

        Args:
            condition: what a conditional model takes for the whole set: a tensor `[N, ...]`, or a dict of them by
                name.

        Raises:
            DataError: if there are more or fewer than images.
        """
        conditions = {} if condition is None else condition if isinstance(condition, dict) else {"": condition}
        attached = {}
        for name, values in conditions.items():
            what = f"conditions {name!r}" if name else "conditions"
            try:
                attached[name] = torch.as_tensor(values).detach().cpu()
            except (TypeError, ValueError, RuntimeError) as error:
                raise DataError(f"{what} must be numbers, not {type(values).__name__}: convert them") from error
            count = len(attached[name]) if attached[name].ndim else 1
            if count != len(self) or not attached[name].ndim:
                raise DataError(f"{count} {what} were given for {len(self)} images: give one for each")
        together = attached.get("", attached or None)
        return ImageSet(self._table, self._transform, self._rows, self._splits, together)

    def mutated(self, rate: float) -> ImageSet:
        """Return the set with sub-pixels replaced at random, anew for every `draw` of a batch.

        A model of such images knows what is common to all images and not what these show: it is the background model
        of the likelihood ratio (Ren et al. 2019; see `nextpixel.scoring.anomaly`).

        Args:
            rate: probability with which a sub-pixel is replaced by one of all levels, 0 to 1.

        Raises:
            DataError: if the rate is out of range.
        """
        if isinstance(rate, bool) or not isinstance(rate, int | float) or not 0 <= rate <= 1:
            raise DataError(f"the mutation rate is {rate!r} and must be a number from 0 to 1")
        transform = replace(self._transform, mutation=float(rate))
        return ImageSet(self._table, transform, self._rows, self._splits, self.condition)

    @property
    def mutation(self) -> float:
        """The rate of `mutated`, 0 where nothing is replaced."""
        return self._transform.mutation

    def condition_of(self, indices: Indices) -> Values | None:
        """Return the conditions of images, in the form they were given."""
        positions = torch.from_numpy(self._positions(indices))
        if self.condition is None or isinstance(self.condition, torch.Tensor):
            return None if self.condition is None else self.condition[positions]
        return {name: values[positions] for name, values in self.condition.items()}

    def __repr__(self) -> str:
        channels, height, width = self.image_shape
        return f"<ImageSet {self.name}: {len(self)} of {channels}x{height}x{width}, {self.levels} levels>"

    def _repr_html_(self) -> str:
        channels, height, width = self.image_shape
        facts = [
            ("Images", f"{len(self):,} of {channels} x {height} x {width} (channels, height, width)"),
            ("Levels", str(self.levels)),
        ]
        if self.splits:
            facts.append(("Splits", ", ".join(f"{name} {size:,}" for name, size in self.splits.items())))
        if self.label_names:
            facts.append(("Labels", ", ".join(self.label_names)))
        elif self.labels is not None:
            facts.append(("Labels", str(int(self.labels.max()) + 1)))
        facts += [("Note", note) for note in self.notes]
        if self.skipped:
            facts.append(("Left out", f"{len(self.skipped):,} files; see .skipped"))
        return set_html(self.name, facts, self[: min(len(self), SHOWN)], self.levels)

    def _positions(self, indices: Indices) -> Labels:
        """Turn any way to choose images into int64 `[B]` in 0..N-1."""
        if isinstance(indices, slice):
            return np.arange(*indices.indices(len(self)), dtype=np.int64)
        chosen = indices.cpu().numpy() if isinstance(indices, torch.Tensor) else np.asarray(indices)
        if chosen.size == 0 and chosen.ndim == 1:
            return np.empty(0, dtype=np.int64)
        if chosen.ndim != 1 or chosen.dtype.kind not in "iu":
            raise TypeError(f"images are chosen by whole numbers [B], not by {chosen.dtype} {list(chosen.shape)}")
        outside = (chosen < -len(self)) | (chosen >= len(self))
        if outside.any():
            raise IndexError(f"image {chosen[outside][0]} asked of a set of {len(self)}")
        positions: Labels = chosen.astype(np.int64)
        return np.where(positions < 0, positions + len(self), positions)

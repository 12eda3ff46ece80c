"""The training record: what is known of how a model came to be, and how good it is.

A record is kept in `config.json` of a model folder, beside the description of the model and outside its checksum: it
says what people and commands want to know, and changes nothing that the model computes.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

import msgspec

from nextpixel.data.reading import Reading
from nextpixel.model_files.likelihood import Likelihood

VERSION = 1
"""Records without a version are those from before there was one; they hold the same entries."""

Scalar = str | int | float | bool | None


@dataclass(frozen=True)
class HeldOut:
    """Which part of a set was held out for validation, so that it can be found again.

    Attributes:
        fraction: The part of the images, between 0 and 1.
        fingerprint: Of the whole set; see `nextpixel.ImageSet.fingerprint`.
    """

    fraction: float
    fingerprint: str

    def __post_init__(self) -> None:
        """Refuse a part that is none.

        Raises:
            ValueError: The fraction is not between 0 and 1.
        """
        if not 0 < self.fraction < 1:
            raise ValueError(f"the part that was held out must be between 0 and 1, not {self.fraction}")


@dataclass(frozen=True)
class Validation:
    """One validation in the course of a training.

    Attributes:
        step: Steps that were done, from 0.
        seconds: Seconds that the run had taken.
        nats: Mean nats per image of the validation images.
    """

    step: int
    seconds: float
    nats: float

    def __post_init__(self) -> None:
        """Refuse what no run logs.

        Raises:
            ValueError: The step or the seconds are negative.
        """
        if self.step < 0 or not self.seconds >= 0:
            raise ValueError(f"a validation is at a step and at seconds from 0, not at {self.step} and {self.seconds}")


@dataclass(kw_only=True)
class TrainingRecord:
    """What is known of how a model came to be; None or empty where nothing is.

    Attributes:
        name: What the model is called.
        images: How its images were read; other images of the model are read likewise.
        data: Name, number and fingerprint of the training images.
        held_out: Which part of them was held out for validation.
        binarisation: How two levels were made.
        mutation: The part of the sub-pixels that was replaced at random, 0 to 1, in a background model.
        recipe: Name and version of the recipe, and in what it was not followed.
        command: The command that trained the model.
        begun: The model whose weights it began with, and how long that was trained.
        settings: The training settings by name.
        trained: How long it was trained, in words.
        hardware: On what.
        library: Name and version of the library.
        validation: Name and likelihood of the validation images, in words.
        likelihood: Of all validation images under these weights.
        quantiles: Evenly spaced quantiles of the nats of the validation images, in ascending order.
        validations: The validations in the course of the training.
        storage: In what type the weights are stored, and what that changes.
        parameters: How many there are.
        protocol: What the integers of the images are, which likelihoods depend on.
        evaluated_by: The command that gives the likelihood again.
        causality: What `nextpixel check` found.
        samples: What the picture of samples shows.
        limits: What the model is no good for.
        intended_use: What it is for.
        notes: Entries that this version does not know, of a record from before records had a version.
    """

    name: str | None = None
    images: Reading | None = None
    data: str | None = None
    held_out: HeldOut | None = None
    binarisation: str | None = None
    mutation: float | None = None
    recipe: str | None = None
    command: str | None = None
    begun: str | None = None
    settings: dict[str, Scalar] | None = None
    trained: str | None = None
    hardware: str | None = None
    library: str | None = None
    validation: str | None = None
    likelihood: Likelihood | None = None
    quantiles: list[float] | None = None
    validations: list[Validation] = field(default_factory=list)
    storage: str | None = None
    parameters: int | None = None
    protocol: str | None = None
    evaluated_by: str | None = None
    causality: str | None = None
    samples: str | None = None
    limits: str | None = None
    intended_use: str | None = None
    notes: dict[str, Scalar] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Refuse figures that no training has.

        Raises:
            ValueError: A figure is out of its range.
        """
        if self.mutation is not None and not 0 <= self.mutation <= 1:
            raise ValueError(f"mutation must be from 0 to 1, not {self.mutation}")
        if self.parameters is not None and self.parameters < 1:
            raise ValueError(f"parameters must be at least 1, not {self.parameters}")
        if self.quantiles is not None:
            ascending = all(low <= high for low, high in zip(self.quantiles, self.quantiles[1:], strict=False))
            if len(self.quantiles) < 2 or not ascending or not all(map(math.isfinite, self.quantiles)):
                raise ValueError("quantiles must be at least two finite numbers in ascending order")

    def to_json(self) -> dict[str, Any]:
        """Return the record as JSON holds it: what is known, and the version."""
        known = {name: value for name, value in asdict(self).items() if value not in (None, [], {})}
        return {"version": VERSION, **known} if known else {}

    @classmethod
    def from_json(cls, entries: Mapping[str, Any]) -> TrainingRecord:
        """Read a record, every entry of which must be of its type and in its range.

        Args:
            entries: What `to_json` returned, or a record from before there were versions.

        Raises:
            ValueError: An entry is unknown, of another type or out of range, or the version is a newer one. The
                message is a phrase that follows the name of the file.
        """
        known = {entry.name for entry in fields(cls)} - {"notes"}
        version = entries.get("version", 0)
        if type(version) is not int or not 0 <= version <= VERSION:
            raise ValueError(
                f"has a training record of version {version!r:.40}, and this nextpixel reads those up to {VERSION}; "
                "upgrade nextpixel"
            )
        rest = {name: value for name, value in entries.items() if name not in known and name != "version"}
        notes = rest.pop("notes", {}) if version else rest
        if version and rest:
            raise ValueError(f"has an unknown entry {min(rest)!r:.80} in its training record; copy the folder again")
        values = {name: value for name, value in entries.items() if name in known}
        try:
            return msgspec.convert({**values, "notes": notes}, cls)
        except (msgspec.ValidationError, RecursionError) as error:
            raise ValueError(f"has a training record that cannot be used ({error}); copy the folder again") from error

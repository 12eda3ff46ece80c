"""The training record: what is known of how a model came to be, and how good it is.

A record is kept in `config.json` of a model folder, beside the description of the model and outside its checksum: it
says what people and commands want to know, and changes nothing that the model computes.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields

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
        fraction: the part of the images, between 0 and 1.
        fingerprint: of the whole set; see `nextpixel.ImageSet.fingerprint`.
    """

    fraction: float
    fingerprint: str

    def __post_init__(self) -> None:
        """Refuse a part that is none.

        Raises:
            ValueError: the fraction is not between 0 and 1.
        """
        if not 0 < self.fraction < 1:
            raise ValueError(f"the part that was held out must be between 0 and 1, not {self.fraction}")


@dataclass(frozen=True)
class Validation:
    """One validation in the course of a training.

    Attributes:
        step: steps that were done, from 0.
        seconds: seconds that the run had taken.
        nats: mean nats per image of the validation images.
    """

    step: int
    seconds: float
    nats: float

    def __post_init__(self) -> None:
        """Refuse what no run logs.

        Raises:
            ValueError: the step or the seconds are negative.
        """
        if self.step < 0 or not self.seconds >= 0:
            raise ValueError(f"a validation is at a step and at seconds from 0, not at {self.step} and {self.seconds}")


@dataclass(kw_only=True)
class TrainingRecord:
    """What is known of how a model came to be; None or empty where nothing is.

    Attributes:
        name: what the model is called.
        images: how its images were read; other images of the model are read likewise.
        data: name, number and fingerprint of the training images.
        held_out: which part of them was held out for validation.
        binarisation: how two levels were made.
        mutation: the part of the sub-pixels that was replaced at random, 0 to 1, in a background model.
        recipe: name and version of the recipe, and in what it was not followed.
        command: the command that trained the model.
        begun: the model whose weights it began with, and how long that was trained.
        settings: the training settings by name.
        trained: how long it was trained, in words.
        hardware: on what.
        library: name and version of the library.
        validation: name and likelihood of the validation images, in words.
        likelihood: of all validation images under these weights.
        quantiles: evenly spaced quantiles of the nats of the validation images, in ascending order.
        validations: the validations in the course of the training.
        storage: in what type the weights are stored, and what that changes.
        parameters: how many there are.
        protocol: what the integers of the images are, which likelihoods depend on.
        evaluated_by: the command that gives the likelihood again.
        causality: what `nextpixel check` found.
        samples: what the picture of samples shows.
        limits: what the model is no good for.
        intended_use: what it is for.
        notes: entries that this version does not know, of a record from before records had a version.
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
            ValueError: a figure is out of its range.
        """
        if self.mutation is not None and not 0 <= self.mutation <= 1:
            raise ValueError(f"mutation must be from 0 to 1, not {self.mutation}")
        if self.parameters is not None and self.parameters < 1:
            raise ValueError(f"parameters must be at least 1, not {self.parameters}")
        if self.quantiles is not None:
            ascending = all(low <= high for low, high in zip(self.quantiles, self.quantiles[1:], strict=False))
            if len(self.quantiles) < 2 or not ascending or not all(map(math.isfinite, self.quantiles)):
                raise ValueError("quantiles must be at least two finite numbers in ascending order")

    def to_json(self) -> dict[str, object]:
        """Return the record as JSON holds it: what is known, and the version."""
        known = {name: value for name, value in asdict(self).items() if value not in (None, [], {})}
        return {"version": VERSION, **known} if known else {}

    @classmethod
    def from_json(cls, entries: Mapping[str, object]) -> TrainingRecord:
        """Read a record, every entry of which must be of its type and in its range.

        Args:
            entries: what `to_json` returned, or a record from before there were versions.

        Raises:
            ValueError: an entry is unknown, of another type or out of range, or the version is a newer one. The
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

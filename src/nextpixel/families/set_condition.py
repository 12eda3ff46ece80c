"""From the labels and vectors of a set of images to the conditions of a model, and back to errors people can act on."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from nextpixel.data import ImageSet
from nextpixel.errors import InputError
from nextpixel.nn.conditions import Condition, Labels, Specification, Vector, is_number, named

KINDS = ("labels", "vectors")


def specification_for(images: ImageSet, kinds: Sequence[str]) -> Specification | None:
    """What a model has to be built with to be conditioned on labels, vectors or both of a set.

    Raises:
        InputError: the set does not have them, or a kind is unknown.
    """
    conditions: dict[str, Condition] = {}
    for kind in kinds:
        if kind == "labels":
            conditions[kind] = _classes(images)
        elif kind == "vectors":
            conditions[kind] = Vector(_vectors(images).shape[1])
        else:
            raise InputError(f"images can be conditioned on {' and '.join(KINDS)}, not on {kind!r}")
    if len(conditions) > 1:
        return conditions
    return next(iter(conditions.values())) if conditions else None


def conditioned(images: ImageSet, specification: Specification | None) -> ImageSet:
    """The set with the conditions that a model of this specification takes, from its labels and vectors.

    Labels are matched by name where both sides have names. A set that has conditions already is returned as it is.

    Raises:
        InputError: the set lacks labels or vectors, has a class that the model does not know, vectors of another length
            than the model's, or cannot tell which of several vectors is meant.
    """
    conditions = named(specification)
    if not conditions or images.condition is not None:
        return images
    values = {name: _values(images, name, condition) for name, condition in conditions.items()}
    kinds = [type(condition) for condition in conditions.values()]
    if len(set(kinds)) < len(kinds):
        raise InputError(f"{images.name} cannot say which condition is which of {', '.join(conditions)}; attach them")
    return images.with_condition(next(iter(values.values())) if isinstance(specification, Condition) else values)


def _values(images: ImageSet, name: str, condition: Condition) -> Tensor:
    if isinstance(condition, Labels):
        return _matched(images, condition)
    if isinstance(condition, Vector):
        vectors = _vectors(images)
        if vectors.shape[1] != condition.size:
            raise InputError(
                f"the vectors of {images.name} have {vectors.shape[1]} numbers, the model takes {condition.size}; "
                "use those of the network that made the training vectors"
            )
        return vectors
    raise InputError(f"a set of images has no maps; attach the condition {name!r} with ImageSet.with_condition")


def _classes(images: ImageSet) -> Labels:
    """The classes of a set: those that its labels have names for, or else the labels that occur."""
    labels = _labels(images)
    if images.label_names is not None:
        return Labels(len(images.label_names), images.label_names)
    present: list[int] = torch.unique(labels).tolist()
    # Years, grades from 1 on or numbers of patients: between them lie classes that no image has.
    gaps = present != list(range(len(present)))
    return Labels(len(present), tuple(map(str, present)) if gaps else None)


def _matched(images: ImageSet, condition: Labels) -> Tensor:
    """The labels of a set in the numbers of the model: by name where there are names, a number being its own."""
    labels = _labels(images, f"; this model needs one of its classes for each: {condition.listed}")
    values, places = torch.unique(labels, return_inverse=True)
    names = images.label_names
    numbers = torch.empty_like(values)
    for place, value in enumerate(values.tolist()):
        name = str(value) if names is None else names[value]
        try:
            # A model without names takes the place of a class in the list, unless its name is a number itself.
            by_place = names is not None and condition.names is None and not any(map(is_number, names))
            numbers[place] = condition.number(str(value) if by_place else name)
        except InputError:
            listed = condition.listed
            raise InputError(f"{images.name} has a class {name!r}; the model's classes are {listed}") from None
    return numbers[places]


def _labels(images: ImageSet, also: str = "") -> Tensor:
    if images.labels_error is not None:
        raise InputError(images.labels_error)
    if images.labels is None:
        raise InputError(
            f"{images.name} has no labels{also}; sort its images into one folder a class, or store labels in the .npz"
        )
    return images.labels


def _vectors(images: ImageSet) -> Tensor:
    if images.vectors is None:
        raise InputError(
            f"{images.name} has no vectors; name an .npz with --vectors (vectors= in open_images), or put "
            "embeddings.npz or a column vector of metadata.csv beside the images"
        )
    return images.vectors

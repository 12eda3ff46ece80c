"""From the labels and vectors of a set of images to the conditions of a model, and back to errors people can act on."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from nextpixel.data import ImageSet
from nextpixel.errors import InputError
from nextpixel.nn.conditions import Condition, Labels, Specification, Vector, named

KINDS = ("labels", "vectors")


def specification_for(images: ImageSet, kinds: Sequence[str]) -> Specification | None:
    """What a model has to be built with to be conditioned on labels, vectors or both of a set.

    Raises:
        InputError: the set does not have them, or a kind is unknown.
    """
    conditions: dict[str, Condition] = {}
    for kind in kinds:
        if kind == "labels":
            labels = _labels(images)
            names = images.label_names
            conditions[kind] = Labels(int(labels.max()) + 1 if names is None else len(names), names)
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


def _matched(images: ImageSet, condition: Labels) -> Tensor:
    """The labels of a set in the numbers of the model."""
    labels = _labels(images, f"; this model needs one of its classes for each: {condition.listed}")
    present: list[int] = torch.unique(labels).tolist()
    if condition.names is None or images.label_names is None:
        if present and present[-1] >= condition.count:
            raise InputError(f"{images.name} has a class {present[-1]}; the model's classes are {condition.listed}")
        return labels
    numbers = torch.zeros(len(images.label_names), dtype=torch.int64)
    for label in present:
        name = images.label_names[label]
        if name not in condition.names:
            raise InputError(f"{images.name} has a class {name!r}; the model's classes are {condition.listed}")
        numbers[label] = condition.names.index(name)
    return numbers[labels]


def _labels(images: ImageSet, also: str = "") -> Tensor:
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

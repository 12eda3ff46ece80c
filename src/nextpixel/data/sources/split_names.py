"""The names that folders of usual data sets have for their parts."""

from __future__ import annotations

import re
from collections.abc import Sequence
from os.path import commonprefix

SPLITS = ("train", "valid", "test")
WORDS = {
    "train": ("train", "training", "trainset", "trn"),
    "valid": ("valid", "val", "validation", "validate", "dev", "eval", "evaluation"),
    "test": ("test", "testing", "testset", "tst"),
}
SPLIT_OF_WORD = {word: split for split, words in WORDS.items() for word in words}
# train2017, training_set, test-images, val_256
NAME = re.compile(
    rf"({'|'.join(sorted(SPLIT_OF_WORD, key=len, reverse=True))})"
    r"(?:[-_. ]?(?:set|data|dataset|images?|imgs?|split|folder))?(?:[-_. ]?[0-9]{1,4})?",
    re.IGNORECASE,
)


def split_of(name: str) -> str | None:
    """The split that a name means: train, valid or test; None if it means none."""
    match = NAME.fullmatch(name)
    return SPLIT_OF_WORD[match[1].lower()] if match else None


def splits_of(names: Sequence[str]) -> dict[str, str | None]:
    """The split that each of several names beside each other means, also behind a beginning that all share.

    Args:
        names: all names, such as `seg_train` and `seg_test`.
    """
    plain = {name: split_of(name) for name in names}
    start = re.match(r".*[-_. ]", commonprefix(list(plain)))  # noqa: RUF071 - letter by letter, as wanted
    if len(plain) > 1 and start and not any(plain.values()):
        behind = {name: split_of(name[start.end() :]) for name in plain}
        if all(behind.values()):
            return behind
    return plain

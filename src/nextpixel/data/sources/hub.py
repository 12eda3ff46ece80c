"""`hf:NAME`: sets of the Hugging Face hub, and folders that their library has written."""

from __future__ import annotations

from pathlib import Path

from nextpixel.data.sources.dataset_source import DatasetSource, open_dataset
from nextpixel.errors import DataError
from nextpixel.runtime.one_line import one_line

PREFIX = "hf:"
SAVED = ("dataset_dict.json", "dataset_info.json")


def is_hub(source: object) -> bool:
    """Whether the user named a set of the hub."""
    return isinstance(source, str) and source.startswith(PREFIX)


def open_hub(source: str) -> DatasetSource:
    """Open a set with the library `datasets`, which keeps what it downloads in a cache of its own.

    Args:
        source: `hf:NAME`, `hf:NAME:CONFIG`, or `hf:FOLDER` for what `save_to_disk` has written.

    Raises:
        DataError: if the library is missing, or cannot open the set.
    """
    try:
        import datasets
    except ImportError:
        raise DataError(f"{source} needs the library datasets: run pip install 'nextpixel[hub]'") from None
    place = source.removeprefix(PREFIX)
    name, _, config = place.partition(":")
    try:
        data: object
        if any((Path(place) / name_of_file).is_file() for name_of_file in SAVED):
            data, name = datasets.load_from_disk(place), Path(place).resolve().name
        else:
            data = datasets.load_dataset(name, config or None)
    except Exception as error:
        # The library reaches into networks, caches and a dozen formats; what it raises is its own affair.
        reason = one_line(error)
        raise DataError(
            f"{source} cannot be opened ({reason}): check the name, the configuration (hf:NAME:CONFIG) and the network"
        ) from error
    return open_dataset(data, name)

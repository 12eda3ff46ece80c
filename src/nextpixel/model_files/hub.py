"""`hf:USER/NAME`: model folders on the Hugging Face hub, by the library huggingface_hub (extra `hub`).

Only the description and the weights are fetched, which are JSON and safetensors: nothing that comes from there is run.
No PyTorch here.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from types import ModuleType
from typing import TypeVar

from nextpixel.errors import ModelError
from nextpixel.runtime.one_line import one_line

PREFIX = "hf:"
FETCHED = ("config.json", "model.safetensors")
NAME = re.compile(r"(?P<repository>[\w.-]+/[\w.-]+)(@(?P<revision>[\w./-]+))?", re.ASCII)

Result = TypeVar("Result")


def is_hub_name(name: str | Path) -> bool:
    """Whether a model on the hub is named, `hf:USER/NAME` or `hf:USER/NAME@REVISION`."""
    return str(name).startswith(PREFIX)


@lru_cache(maxsize=64)
def fetch(name: str) -> Path:
    """The folder of a model on the hub, in the library's own cache; fetched where it is not there yet.

    Args:
        name: `hf:USER/NAME`, or `hf:USER/NAME@REVISION` for a branch, a tag or a commit.

    Raises:
        ModelError: the name is none, the library is missing, or there is no such model or no network.
    """
    repository, revision = _parts(name)
    library = _library(name)
    folder = _told(
        lambda: library.snapshot_download(repository, revision=revision, allow_patterns=list(FETCHED)),
        f"{name} cannot be fetched",
        "check the name and the network, and log in with `hf auth login` where it is private",
    )
    return Path(folder)


def check_push(name: str) -> None:
    """Raise, before long work, what `push` would say of the name or of a missing library.

    Raises:
        ModelError: see `push`.
    """
    if _parts(name)[1] is not None:
        raise ModelError(f"{name} names a revision, and a model is pushed as the newest; leave out what follows the @")
    _library(name)


def push(folder: Path, name: str) -> str:
    """Put a model folder on the hub, as the newest of its repository, which is made where there is none.

    Args:
        folder: as `nextpixel.export` writes it.
        name: `hf:USER/NAME`.

    Returns:
        Where it is to be seen.

    Raises:
        ModelError: the name is none, the library is missing, or the hub refuses it.
    """
    check_push(name)
    repository, _ = _parts(name)
    library = _library(name)

    def upload() -> str:
        api = library.HfApi()
        api.create_repo(repository, exist_ok=True)
        api.upload_folder(repo_id=repository, folder_path=folder, commit_message="A model of nextpixel")
        return f"{api.endpoint}/{repository}"

    return _told(upload, f"{folder} is written, and could not be pushed to {name}", "log in with `hf auth login`")


def _parts(name: str) -> tuple[str, str | None]:
    """The repository that is named, and the revision."""
    match = NAME.fullmatch(name.removeprefix(PREFIX))
    if match is None:
        raise ModelError(f"{name[:200]} names no model of the Hugging Face hub; those are hf:USER/NAME")
    return match["repository"], match["revision"]


def _library(name: str) -> ModuleType:
    try:
        import huggingface_hub
    except ImportError:
        raise ModelError(f"{name} needs the library huggingface_hub: pip install 'nextpixel[hub]'") from None
    return huggingface_hub


def _told(work: Callable[[], Result], failure: str, remedy: str) -> Result:
    """What the library gives, its faults as one sentence."""
    try:
        return work()
    except Exception as error:
        # It reaches into the network, a cache and the home folder, and raises whatever these do.
        raise ModelError(f"{failure} ({one_line(error)}): {remedy}") from error

"""Sets of images: from folders, archives, arrays, idx files, data sets and names to uint8 that is read when asked.

The names are imported on first use, so that how images are read can be told without waiting for PyTorch.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nextpixel.data.image_set import ImageSet
    from nextpixel.data.open import open_images
    from nextpixel.data.prepared.reading import verify_prepared
    from nextpixel.data.preparing import prepare

__all__ = ["ImageSet", "open_images", "prepare", "verify_prepared"]

_MODULES = {
    "ImageSet": "image_set",
    "open_images": "open",
    "prepare": "preparing",
    "verify_prepared": "prepared.reading",
}


def __getattr__(name: str) -> object:
    if name not in _MODULES:
        raise AttributeError(f"module 'nextpixel.data' has no attribute {name!r}")
    return getattr(import_module(f"nextpixel.data.{_MODULES[name]}"), name)

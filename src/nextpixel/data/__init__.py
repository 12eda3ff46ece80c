"""Sets of images: from folders, archives, arrays, idx files, data sets and names to uint8 that is read when asked."""

from nextpixel.data.image_set import ImageSet
from nextpixel.data.open import open_images
from nextpixel.data.prepared.reading import verify_prepared
from nextpixel.data.preparing import prepare

__all__ = ["ImageSet", "open_images", "prepare", "verify_prepared"]

"""Sets of images: from folders, archives, arrays, idx files and names to uint8 in mapped memory."""

from nextpixel.data.image_set import ImageSet
from nextpixel.data.open import open_images

__all__ = ["ImageSet", "open_images"]

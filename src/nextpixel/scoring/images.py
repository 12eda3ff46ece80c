"""The images that are scored, whatever holds them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from nextpixel.data import ImageSet
from nextpixel.data.pictures import Pictures
from nextpixel.nn.tensors import as_tensor

Images = ImageSet | Pictures | Tensor | NDArray[np.generic]


def as_images(images: object) -> ImageSet | Pictures | Tensor:
    """A set as it is; tensors, arrays and lists of them as a tensor.

    Raises:
        InputError: it is something else.
    """
    return images if isinstance(images, ImageSet | Pictures) else as_tensor(images, "images")

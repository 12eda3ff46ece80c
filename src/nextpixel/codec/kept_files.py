"""Pictures of a file that are kept as the files they were read from."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from nextpixel.codec.container import Shape
from nextpixel.codec.picture_files import levels_of
from nextpixel.data.decode import decode
from nextpixel.data.entries import Unusable
from nextpixel.errors import DataError


def restored_file(data: bytes, shape: Shape, levels: int) -> NDArray[np.uint8]:
    """The pixels of a kept file, of its shape, in 0..levels-1.

    Raises:
        DataError: it cannot be read, is not of that shape, or has other values.
    """
    try:
        picture = decode("a kept file", data, most_pixels=shape[1] * shape[2])
        if picture.pixels.shape != shape:
            raise DataError("a kept file has another size than the .npx file says: it is damaged")
        pixels: NDArray[np.uint8] = levels_of(picture.pixels, levels).numpy()
    except Unusable as error:
        raise DataError(f"a kept file {error}: decompress it to a folder, where it is written as it is") from error
    if int(pixels.max()) >= levels:
        raise DataError(f"a kept file has values above {levels - 1}: the .npx file is damaged")
    return pixels

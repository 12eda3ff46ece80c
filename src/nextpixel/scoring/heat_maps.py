"""Pictures of where the bits of images are."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PIL import Image

from nextpixel.nn.conditions import Values
from nextpixel.rendering.heat import heat_map
from nextpixel.scoring.images import Images
from nextpixel.scoring.maps import bit_maps

if TYPE_CHECKING:
    from nextpixel.families.base import ImageModel

LEAST_TOP = 1e-9


def heat_maps(model: ImageModel, images: Images, condition: Values | None = None) -> list[Image.Image]:
    """Images, each beside a map of the bits that its pixels take, all with the same colours.

    Args:
        model: the model.
        images: a set, or integers `[N, C, H, W]` as a tensor or an array.
        condition: see `nextpixel.score`; without it a model of labels predicts whatever the class.

    Returns:
        A picture of Pillow for each image, in order, which notebooks display and `.save(path)` writes.

    Raises:
        InputError: the images do not fit the model.
    """
    parts = list(bit_maps(model, images, condition))
    top = max((float(bits.max()) for _, bits in parts), default=0.0)
    return [
        heat_map(image, model.levels, bits, max(top, LEAST_TOP))
        for images_of_part, bits_of_part in parts
        for image, bits in zip(images_of_part, bits_of_part, strict=True)
    ]

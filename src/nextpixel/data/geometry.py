"""Changes of channels and size that the user asked for: drop alpha, then grey or RGB, then resize."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from PIL import Image, ImageOps

from nextpixel.data.decode import to_image, to_pixels
from nextpixel.data.source import MAX_IMAGE_BYTES, Pixels
from nextpixel.errors import DataError


@dataclass(frozen=True)
class Geometry:
    """What to do to every image, in this order.

    Attributes:
        drop_alpha: discard the alpha channel where there is one.
        mode: "grey" for luminance, "rgb" for three channels, None to leave them.
        resize: `(height, width)` to crop and resample to, None to leave the size.
        depth: 8 to take the highest eight bits of files of more, None to leave such files out.
    """

    drop_alpha: bool = False
    mode: Literal["grey", "rgb"] | None = None
    resize: tuple[int, int] | None = None
    depth: Literal[8] | None = None

    def __post_init__(self) -> None:
        if self.mode not in (None, "grey", "rgb"):
            raise DataError(f"mode={self.mode!r} is not known: use 'grey' or 'rgb'")
        if self.depth not in (None, 8):
            raise DataError(f"depth={self.depth!r} is not known: use 8, or leave it out")
        if self.resize is None:
            return
        whole = isinstance(self.resize, tuple | list) and all(type(value) is int for value in self.resize)
        if not whole or len(self.resize) != 2 or min(self.resize) < 1:
            raise DataError(f"resize={self.resize!r} is not a size: give (height, width), both at least 1")
        object.__setattr__(self, "resize", tuple(self.resize))
        if self.resize[0] * self.resize[1] * 4 > MAX_IMAGE_BYTES:
            raise DataError(
                f"resize={self.resize!r} is more than the {MAX_IMAGE_BYTES // 4} pixels an image may have:"
                " ask for a smaller size"
            )

    @property
    def key(self) -> list[object]:
        """What tells this geometry from another, for the cache; the depth matters only where a file is deep."""
        return [self.drop_alpha, self.mode, self.resize]

    def leaves(self, shape: tuple[int, ...]) -> bool:
        """Whether it changes no image of the shape `(C, H, W)`."""
        channels = shape[0]
        recoloured = {None: False, "grey": channels != 1, "rgb": channels != 3}[self.mode]
        cut = self.drop_alpha and channels in (2, 4)
        return not (cut or recoloured or self.resize not in (None, tuple(shape[1:])))

    def check_levels(self, levels: int, where: str) -> None:
        """Refuse to resample images of fewer levels than 256, whose integers are not brightnesses."""
        if self.resize is not None and levels != 256:
            raise DataError(
                f"{where} has {levels} levels and only images of 256 levels can be resized:"
                " leave out --resize (resize=None) or start from the original images"
            )

    def apply(self, pixels: Pixels, where: str) -> tuple[Pixels, tuple[str, ...]]:
        """Change one image.

        Args:
            pixels: uint8 `[C, H, W]`.
            where: what to call the image in an error.

        Returns:
            The image as asked for, and the remarks about what was done.

        Raises:
            DataError: if grey or RGB is asked of an image with alpha that was not to be dropped.
        """
        remarks = []
        if self.drop_alpha and len(pixels) in (2, 4):
            pixels = pixels[:-1]
            remarks.append("stripped of {their} alpha channel")
        if self.mode is not None:
            if len(pixels) in (2, 4):
                raise DataError(
                    f"{where} has an alpha channel, which mode {self.mode!r} cannot hold:"
                    " add --drop-alpha (drop_alpha=True)"
                )
            if self.mode == "grey" and len(pixels) == 3:
                pixels = to_pixels(to_image(pixels).convert("L"))
                remarks.append("turned from RGB to grey")
            elif self.mode == "rgb" and len(pixels) == 1:
                pixels = np.repeat(pixels, 3, axis=0)
                remarks.append("turned from grey to RGB with three equal channels")
        if self.resize is not None and pixels.shape[1:] != self.resize:
            height, width = self.resize
            fitted = ImageOps.fit(to_image(pixels), (width, height), Image.Resampling.LANCZOS)
            pixels = to_pixels(fitted)
            remarks.append(f"cropped and resized to {height}x{width}")
        return pixels, tuple(remarks)

"""`Reading`: how the images of a set were read, in a form that a model's folder can keep. No PyTorch here.

Annotations are evaluated here, since the command line derives its options from this class in another module.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Self, TypedDict

from nextpixel.errors import InputError

OF_LEVELS = ("levels", "binarize", "seed")


class Wishes(TypedDict):
    """How images are read, by the names of the options of `nextpixel.open_images`."""

    levels: int | None
    binarize: Literal["threshold", "stochastic", "dynamic"] | None
    seed: int
    resize: tuple[int, int] | None
    mode: Literal["grey", "rgb"] | None
    drop_alpha: bool
    depth: Literal[8] | None


@dataclass(frozen=True, kw_only=True)
class Reading:
    """How images are read. Nothing is resized, recoloured or quantised unless asked for.

    Attributes:
        levels: quantise to so many levels, floor(x * new / old).
        binarize: make two levels. threshold: half and above is 1. stochastic: drawn once with the brightness as
            probability. dynamic: drawn anew each time, which is another task.
        resize: HxW: crop the middle to this aspect ratio, then resample.
        mode: convert to grey or rgb.
        drop_alpha: discard alpha channels.
        depth: 8: of files of 12 or 16 bits a channel take the highest 8. `levels` implies it; otherwise such files are
            left out.
        binarize_seed: seed of the draws of --binarize.
    """

    levels: int | None = None
    binarize: Literal["threshold", "stochastic", "dynamic"] | None = None
    resize: str | None = None
    mode: Literal["grey", "rgb"] | None = None
    drop_alpha: bool = False
    depth: Literal[8] | None = None
    binarize_seed: int = 0

    def wishes(self) -> Wishes:
        """Name the options as `nextpixel.open_images` and `nextpixel.prepare` take them.

        Raises:
            InputError: `resize` is not a size.
        """
        return {
            "levels": self.levels,
            "binarize": self.binarize,
            "seed": self.binarize_seed,
            "resize": self._size(),
            "mode": self.mode,
            "drop_alpha": self.drop_alpha,
            "depth": self.depth,
        }

    @classmethod
    def of(cls, wishes: Mapping[str, Any], *, prepared: dict[str, Any], binarize: str | None) -> Self:
        """Tell how images were read, preparation included.

        Args:
            wishes: the options of `nextpixel.open_images`, as `wishes` returns them.
            prepared: what `nextpixel.prepare` did to the images before; empty if nothing.
            binarize: which binarisation is in force.
        """
        plain: dict[str, Any] = {**cls().wishes()}
        changed = {name: value for name, value in wishes.items() if value != plain[name]}
        if prepared and changed.get("binarize") != binarize:
            # The images had two levels already, and the wish did nothing.
            changed = {name: value for name, value in changed.items() if name not in ("binarize", "seed")}
        merged = plain | {name: value for name, value in merged_options(prepared, changed).items() if name in plain}
        size = merged.pop("resize")
        return cls(
            **{name: value for name, value in merged.items() if name != "seed"},
            binarize_seed=merged["seed"] or 0,
            resize=None if size is None else "x".join(map(str, size)),
        )

    def _size(self) -> tuple[int, int] | None:
        if self.resize is None:
            return None
        match = re.fullmatch(r"(\d+)(?:x(\d+))?", self.resize)
        if match is None:
            raise InputError(f"--resize takes HEIGHTxWIDTH, such as 32x32, not {self.resize!r}")
        return int(match[1]), int(match[2] or match[1])


def merged_options(earlier: dict[str, Any], later: dict[str, Any]) -> dict[str, Any]:
    """The options that do at once what two sets of options do one after the other, as nearly as options can."""
    if later.keys() & set(OF_LEVELS):
        earlier = {name: value for name, value in earlier.items() if name not in OF_LEVELS}
    return earlier | later

"""What the page can ask of a model."""

from __future__ import annotations

import base64
import io
import math
from functools import cached_property
from typing import Any, Literal

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from nextpixel.codec.codec import check_compresses, compress
from nextpixel.data.decode import decode, to_image
from nextpixel.data.entries import Unusable
from nextpixel.data.geometry import Geometry
from nextpixel.data.level_table import level_table
from nextpixel.dependence import dependence_of
from nextpixel.errors import DataError, InputError, ModelError
from nextpixel.families.base import ImageModel
from nextpixel.families.local_pixelcnn import LocalPixelCNN
from nextpixel.generation.known import known_too_late
from nextpixel.model_files.stored import stored_model
from nextpixel.nn.conditions import Labels
from nextpixel.rendering.grid import grid, to_pil
from nextpixel.runtime.progress import Advance
from nextpixel.scoring.anomaly import Scorer, calibrated, score
from nextpixel.scoring.maps import bit_maps
from nextpixel.scoring.references import Format, has_jpeg_xl, lossless_size, quick_size
from nextpixel.verify import SECOND_LOOKS, Site
from nextpixel.web.fields import Fields, packed
from nextpixel.web.jobs import Job

MOST_IMAGES, MOST_COMPLETIONS, MOST_CANDIDATES = 64, 16, 64
MOST_UPLOADED_PIXELS = 2**24
MOST_PIXELS, MOST_PICTURE_SIDE = 2**18, 2**12
"""Of a picture, for a model that takes any size."""

MOST_DRAWN = 2**22
"""Pixels of all completions of such a picture, with their candidates."""

BEST_EFFORT_PIXELS = 2**14
"""Larger pictures are written in other formats at an effort that takes less long."""

MOST_EXPLAINED = 2**14
"""Sub-pixels of images of which it is shown what one depends on; a table of all pairs of them is made."""


class Served:
    """A model on the page.

    Args:
        name: what the page calls it; no path.
        model: the model.
    """

    def __init__(self, name: str, model: ImageModel) -> None:
        self.name, self.model = name, model
        self.labels = model.condition if isinstance(model.condition, Labels) else None
        self.any_size = isinstance(model, LocalPixelCNN) and not model.needs_condition
        self._example: dict[str, object] | None = None

    @cached_property
    def fingerprint(self) -> bytes:
        """What tells the model from others, as .npx files do."""
        return stored_model(self.model).fingerprint

    @cached_property
    def description(self) -> dict[str, Any]:
        """What the page has to know of it."""
        try:
            check_compresses(self.model)
            compresses = True
        except ModelError:
            compresses = False
        names = None
        if self.labels is not None:
            names = list(self.labels.names or map(str, range(self.labels.count)))
        likelihood = self.model.record.likelihood
        return {
            "name": self.name,
            "family": self.model.family,
            "shape": list(self.model.image_shape),
            "any_size": self.any_size,
            "explains": math.prod(self.model.image_shape) <= MOST_EXPLAINED,
            "levels": self.model.levels,
            "shown": level_table(self.model.levels).tolist(),
            "labels": names,
            "parameters": sum(parameter.numel() for parameter in self.model.parameters()),
            "compresses": compresses,
            "draws": self.model.condition is None or self.labels is not None,
            "reconstructs": self.model.condition is not None and not self.model.needs_condition,
            "nats": None if likelihood is None else likelihood.nats,
            "quantiles": self.model.record.quantiles,
        }

    def prepare(self, advance: Advance) -> None:
        """Draw the example, with a class where the model knows classes, or given any other condition."""
        if self._example is not None:
            return
        generator = torch.Generator().manual_seed(0)
        condition: dict[str, Tensor] | Tensor | None = self.model.random_condition(1, generator) or None
        label = None
        if self.labels is not None:
            label = 0
            condition = torch.tensor([label])
        image = self.model.sample(1, condition, generator=generator, advance=advance)[0]
        self._example = {"kind": "image", "shape": list(image.shape), "pixels": packed(image), "label": label}

    # Requests ---------------------------------------------------------------------------------------------------

    def example(self, _: Fields, job: Job) -> None:
        """An image to begin with, drawn by the model."""
        self.prepare(job.check)
        assert self._example is not None
        job.tell(dict(self._example))

    def sample(self, fields: Fields, job: Job) -> None:
        """Draw images, and show them while they are drawn."""
        count = fields.integer("count", 1, MOST_IMAGES, 16)
        blank = torch.zeros(count, *self.model.image_shape, dtype=torch.uint8)
        known = torch.zeros(self.model.image_shape[1:], dtype=torch.bool)
        if self.labels is not None and fields.entries.get("every_class") is True:
            condition: Tensor | None = torch.arange(count) % self.labels.count
        else:
            condition = self._condition(fields, count)
        self._draw(fields, job, blank, known, condition)

    def complete(self, fields: Fields, job: Job) -> None:
        """Draw the unknown pixels of an image several times."""
        count = fields.integer("count", 1, MOST_COMPLETIONS, 4)
        image = self._image(fields)
        channels, height, width = image.shape[1:]
        known = fields.bytes_of("known", (height, width), 1).bool()
        candidates = fields.integer("candidates", 1, MOST_CANDIDATES, 1)
        if (channels, height, width) == self.model.image_shape:
            order = self.model.order
        else:
            if height * width * count * candidates > MOST_DRAWN:
                raise InputError(
                    f"{count} completions of {candidates} candidates of {height} x {width} pixels are more than the "
                    "page draws; ask for fewer, or choose a smaller picture"
                )
            order = torch.arange(height * width * channels).view(height, width, channels).permute(2, 0, 1)
        late = 0 if self.model.completes_from_anything else known_too_late(known, order)
        if late and candidates == 1:
            note = f"{late} known pixels come after unknown ones in the order of drawing, and cannot guide them"
            job.tell({"kind": "note", "note": note})
        images = image.expand(count, -1, -1, -1)
        self._draw(fields, job, images, known, self._condition(fields, count), candidates)

    def bits(self, fields: Fields, job: Job) -> None:
        """How likely an image is, where its bits are, and how far it is from normal."""
        image = self._image(fields)
        condition = self._condition(fields, 1, needed=False)
        ((_, maps),) = list(bit_maps(self.model, image, condition))
        job.check()
        scorer = calibrated(Scorer(self.model), None)
        row = score(self.model, image, condition)[0]
        classes = None
        if self.labels is not None and condition is None:
            names = self.description["labels"]
            classes = sorted(((name, row[f"p({name})"]) for name in names), key=lambda entry: -entry[1])
        # Nats are typical of one size.
        comparable = tuple(image.shape[1:]) == self.model.image_shape
        columns = ("nats", "bits_per_dim", "complexity", *(("typicality",) if comparable else ()))
        figures: dict[str, object] = {name: row[name] for name in columns if name in row}
        job.tell(
            {
                "kind": "bits",
                "map": packed(maps[0].float()),
                "classes": classes,
                "complexity_format": scorer.complexity_format,
                # What was held out in training was scored with its class, which is another likelihood.
                "share_below": self._share_below(row["nats"]) if comparable and not classes else None,
                **figures,
            }
        )

    def pixel(self, fields: Fields, job: Job) -> None:
        """What the model expects at a pixel, given what comes before it."""
        image = self._image(fields)
        channels, height, width = image.shape[1:]
        row, column = fields.integer("row", 0, height - 1), fields.integer("column", 0, width - 1)
        values = image[0, :, row, column]
        if isinstance(self.model, LocalPixelCNN):
            # Nothing beyond its window matters.
            reach = self.model.window.reach
            top, left = max(0, row - reach), max(0, column - reach)
            image, row, column = image[:, :, top : row + 1, left : column + reach + 1], row - top, column - left
        with torch.no_grad():
            condition = self._condition(fields, 1, needed=False)
            if condition is None and self.labels is not None:
                raise InputError("choose a class to see what the model expects of it")
            logs = self.model.eval().logits(image, condition)[0, :, :, row, column].double().log_softmax(dim=0)
        bits = -logs[values.long(), torch.arange(channels)] / math.log(2)
        job.tell(
            {
                "kind": "pixel",
                "values": values.tolist(),
                "bits": bits.tolist(),
                "distributions": logs.exp().T.tolist(),
            }
        )

    def compress(self, fields: Fields, job: Job) -> None:
        """An image as an .npx file, and its size beside other formats."""
        image = self._image(fields)
        condition = self._condition(fields, 1)
        effort = 1 if isinstance(self.model, LocalPixelCNN) else None
        data = compress(self.model, image[0], condition, effort=effort, advance=job.check)
        picture = to_image(image[0].numpy()) if self.model.levels == 256 else to_pil(image[0], self.model.levels)
        size_of = lossless_size if picture.width * picture.height <= BEST_EFFORT_PIXELS else quick_size
        sizes = {"nextpixel": len(data)}
        for form in formats():
            job.check()
            sizes[form] = size_of(picture, form)
        job.tell({"kind": "sizes", "sizes": sizes, "raw": image.numel(), "data": base64.b64encode(data).decode()})

    def picture(self, fields: Fields, job: Job) -> None:
        """Images as a PNG file: one as it is, several in a grid."""
        count = fields.integer("count", 1, MOST_IMAGES)
        channels, height, width = self._shape(fields)
        if count * height * width > MOST_DRAWN:
            raise InputError("these pictures are more than one file holds; take one of them")
        images = fields.bytes_of("pixels", (count, channels, height, width), self.model.levels - 1)
        picture = to_pil(images[0], self.model.levels) if count == 1 else grid(images, self.model.levels)
        job.tell({"kind": "picture", "data": png(picture)})

    def explain(self, fields: Fields, job: Job) -> None:
        """What the distribution of a pixel depends on, by gradients; told while it is found out."""
        channels, height, width = self.model.image_shape
        if math.prod(self.model.image_shape) > MOST_EXPLAINED:
            raise InputError(f"images of {channels} x {height} x {width} are too large for this; use nextpixel explain")
        row, column = fields.integer("row", 0, height - 1), fields.integer("column", 0, width - 1)
        site = Site(fields.integer("channel", 0, channels - 1, channels - 1), row, column)
        looks = 0

        def watch(kinds: Tensor) -> None:
            nonlocal looks
            looks += 1
            job.frame(lambda: {"kind": "kinds", "kinds": packed(kinds), "done": looks / (1 + SECOND_LOOKS)})

        result = dependence_of(self.model, site, watch=watch)
        job.tell(
            {
                "kind": "kinds",
                "kinds": packed(result.kinds),
                "done": 1,
                "sentences": result.sentences,
            }
        )

    def order(self, _: Fields, job: Job) -> None:
        """The pixels of an image in the order in which they are drawn, by their numbers in rows."""
        job.tell({"kind": "order", "order": self.model.order.amin(dim=0).flatten().argsort().tolist()})

    def upload(self, data: bytes, fit: bool, job: Job) -> None:
        """A picture file as an image of the model; what is lost by it is asked for first, and told."""
        channels = self.model.image_shape[0]
        try:
            picture = decode("the picture", data, most_pixels=MOST_UPLOADED_PIXELS)
        except Unusable as error:
            raise InputError(f"the picture {error}; choose another one") from error
        pixels = picture.pixels
        notes = [remark.format(their="its") for remark in picture.remarks]
        wanted = (channels, *_within(pixels.shape[1], pixels.shape[2])) if self.any_size else self.model.image_shape
        if pixels.shape != wanted:
            if not fit:
                raise InputError(
                    f"the picture is {' x '.join(map(str, pixels.shape))} (channels, height, width), the model takes "
                    f"{' x '.join(map(str, wanted))}; let it be fitted, or choose another one"
                )
            modes: dict[int, Literal["grey", "rgb"]] = {1: "grey", 3: "rgb"}
            geometry = Geometry(channels in modes, modes.get(channels), wanted[1:])
            try:
                pixels, remarks = geometry.apply(pixels, "the picture")
            except DataError as error:
                raise InputError(str(error)) from error
            if len(pixels) != channels:
                raise InputError(f"the picture has {len(pixels)} channels, the model takes {channels}")
            notes += [remark.format(their="its") for remark in remarks]
        if self.model.levels < 256:
            pixels = (pixels.astype(np.int64) * self.model.levels // 256).astype(np.uint8)
            notes.append(f"quantised to {self.model.levels} levels")
        image = torch.from_numpy(pixels.copy())
        job.tell({"kind": "image", "shape": list(image.shape), "pixels": packed(image), "notes": notes})

    # Parts ------------------------------------------------------------------------------------------------------

    def _draw(
        self,
        fields: Fields,
        job: Job,
        images: Tensor,
        known: Tensor,
        condition: Tensor | None,
        candidates: int = 1,
    ) -> None:
        temperature = fields.number("temperature", 0, 10, 1)
        top_p = fields.number("top_p", 0.01, 1, 1)
        generator = torch.Generator().manual_seed(fields.integer("seed", 0, 2**53, 0))
        total, done, at_once = images.numel() * candidates, 0, self.model.images_at_once
        drawn = images.clone()

        def advance(sub_pixels: int) -> None:
            nonlocal done
            done += sub_pixels
            job.frame(lambda: {"kind": "images", "pixels": packed(drawn), "done": done / total})

        for start in range(0, len(images), at_once):
            part = slice(start, start + at_once)

            def watch(images: Tensor, part: slice = part) -> None:
                drawn[part] = images.cpu()

            drawn[part] = self.model.complete(
                images[part],
                known,
                None if condition is None else condition[part],
                temperature=temperature,
                top_p=None if top_p == 1 else top_p,
                candidates=candidates,
                generator=generator,
                advance=advance,
                watch=watch if candidates == 1 else None,
            ).cpu()
        job.tell({"kind": "images", "pixels": packed(drawn), "done": 1})

    def _shape(self, fields: Fields) -> tuple[int, int, int]:
        """The shape of the images asked about: the model's, or any that is not too large where it takes them."""
        channels, height, width = self.model.image_shape
        least, most = (1, MOST_PICTURE_SIDE) if self.any_size else (height, height)
        height = fields.integer("height", least, most, height)
        least, most = (1, MOST_PICTURE_SIDE) if self.any_size else (width, width)
        width = fields.integer("width", least, most, width)
        if self.any_size and height * width > MOST_PIXELS:
            raise InputError(f"a picture must have {MOST_PIXELS:,} pixels at most, not {height} x {width}")
        return channels, height, width

    def _image(self, fields: Fields) -> Tensor:
        return fields.bytes_of("pixels", self._shape(fields), self.model.levels - 1)[None]

    def _condition(self, fields: Fields, count: int, *, needed: bool = True) -> Tensor | None:
        """The label asked for, for each image."""
        label = fields.text("label")
        if self.labels is None:
            if label is not None:
                raise InputError("this model knows no classes")
            if needed and self.model.needs_condition:
                raise InputError("this model needs vectors or maps, which the page does not have; use the commands")
            return None
        if label is None:
            if needed:
                raise InputError("choose a class of the image first")
            return None
        return torch.full((count,), self.labels.number(label))

    def _share_below(self, nats: float) -> float | None:
        """The part of the held-out images that are more likely."""
        quantiles = self.model.record.quantiles
        if quantiles is None:
            return None
        return float(np.interp(nats, quantiles, np.linspace(0, 1, len(quantiles))))


def formats() -> list[Format]:
    """The picture formats that sizes are compared with."""
    return ["PNG", "WebP", *(("JPEG XL",) if has_jpeg_xl() else ())]


def png(picture: Image.Image) -> str:
    """A picture as a PNG file, in base64."""
    file = io.BytesIO()
    picture.save(file, "PNG")
    return base64.b64encode(file.getvalue()).decode()


def _within(height: int, width: int) -> tuple[int, int]:
    """The size nearest to a picture's that is not too large, in its proportions."""
    scale = min(1, math.sqrt(MOST_PIXELS / (height * width)), MOST_PICTURE_SIDE / max(height, width))
    return max(1, math.floor(height * scale)), max(1, math.floor(width * scale))

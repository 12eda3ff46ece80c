"""What the page can ask of a model."""

from __future__ import annotations

import math
from functools import cached_property
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from nextpixel.codec.codec import compress
from nextpixel.codec.fixed_point import check_lowers
from nextpixel.data.decode import decode, to_image
from nextpixel.data.entries import Unusable
from nextpixel.data.geometry import Geometry
from nextpixel.data.level_table import level_table
from nextpixel.errors import DataError, InputError, ModelError
from nextpixel.families.base import ImageModel
from nextpixel.generation.known import known_too_late
from nextpixel.nn.conditions import Labels
from nextpixel.rendering.grid import to_pil
from nextpixel.scoring.anomaly import Scorer, calibrated, score
from nextpixel.scoring.maps import bit_maps
from nextpixel.scoring.references import Format, has_jpeg_xl, lossless_size
from nextpixel.web.fields import Fields, packed
from nextpixel.web.jobs import Job

MOST_IMAGES, MOST_COMPLETIONS, MOST_CANDIDATES = 64, 16, 64
MOST_UPLOADED_PIXELS = 2**24


class Served:
    """A model on the page.

    Args:
        name: what the page calls it; no path.
        model: the model.
    """

    def __init__(self, name: str, model: ImageModel) -> None:
        self.name, self.model = name, model
        self.labels = model.condition if isinstance(model.condition, Labels) else None

    @cached_property
    def description(self) -> dict[str, Any]:
        """What the page has to know of it."""
        try:
            check_lowers(self.model)
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

    # Requests ---------------------------------------------------------------------------------------------------

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
        known = fields.bytes_of("known", self.model.image_shape[1:], 1).bool()
        late = 0 if self.model.completes_from_anything else known_too_late(known, self.model.order)
        candidates = fields.integer("candidates", 1, MOST_CANDIDATES, 1)
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
        scorer = calibrated(Scorer(self.model), None)
        row = score(self.model, image, condition)[0]
        classes = None
        if self.labels is not None and condition is None:
            names = self.description["labels"]
            classes = sorted(((name, row[f"p({name})"]) for name in names), key=lambda entry: -entry[1])
        figures: dict[str, object] = {
            name: row[name] for name in ("nats", "bits_per_dim", "complexity", "typicality") if name in row
        }
        job.tell(
            {
                "kind": "bits",
                "map": packed(maps[0].float()),
                "classes": classes,
                "complexity_format": scorer.complexity_format,
                # What was held out in training was scored with its class, which is another likelihood.
                "share_below": None if classes else self._share_below(row["nats"]),
                **figures,
            }
        )

    def pixel(self, fields: Fields, job: Job) -> None:
        """What the model expects at a pixel, given what comes before it."""
        channels, height, width = self.model.image_shape
        image = self._image(fields)
        row, column = fields.integer("row", 0, height - 1), fields.integer("column", 0, width - 1)
        with torch.no_grad():
            condition = self._condition(fields, 1, needed=False)
            if condition is None and self.labels is not None:
                raise InputError("choose a class to see what the model expects of it")
            logs = self.model.eval().logits(image, condition)[0, :, :, row, column].double().log_softmax(dim=0)
        values = image[0, :, row, column]
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
        """The size of an image under the model, beside other formats."""
        image = self._image(fields)
        condition = self._condition(fields, 1)
        sizes = {"nextpixel": len(compress(self.model, image[0], condition, advance=job.check))}
        picture = to_image(image[0].numpy()) if self.model.levels == 256 else to_pil(image[0], self.model.levels)
        forms: list[Format] = ["PNG", "WebP"]
        if has_jpeg_xl():
            forms.append("JPEG XL")
        sizes |= {form: lossless_size(picture, form) for form in forms}
        job.tell({"kind": "sizes", "sizes": sizes, "raw": image.numel()})

    def upload(self, data: bytes, fit: bool, job: Job) -> None:
        """A picture file as an image of the model; what is lost by it is asked for first, and told."""
        channels, height, width = self.model.image_shape
        try:
            picture = decode("the picture", data, most_pixels=MOST_UPLOADED_PIXELS)
        except Unusable as error:
            raise InputError(f"the picture {error}; choose another one") from error
        pixels = picture.pixels
        notes = [remark.format(their="its") for remark in picture.remarks]
        if pixels.shape != self.model.image_shape:
            if not fit:
                raise InputError(
                    f"the picture is {' x '.join(map(str, pixels.shape))} (channels, height, width), the model takes "
                    f"{channels} x {height} x {width}; let it be fitted, or choose another one"
                )
            modes: dict[int, Literal["grey", "rgb"]] = {1: "grey", 3: "rgb"}
            geometry = Geometry(channels in modes, modes.get(channels), (height, width))
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
        job.tell({"kind": "image", "pixels": packed(torch.from_numpy(pixels.copy())), "notes": notes})

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

    def _image(self, fields: Fields) -> Tensor:
        return fields.bytes_of("pixels", self.model.image_shape, self.model.levels - 1)[None]

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

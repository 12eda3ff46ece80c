r"""Sizes of pictures in JPEG-LS and QOI beside the other records, and of kinds of pictures that those do not have.

    python benchmarks/picture_codecs.py --pictures kodak=FOLDER --pictures camera=FOLDER \
        --sheet nextpixel/fashion-mnist-gated=fashion-mnist-train.npz --made --record docs/results/codecs.json

`--pictures` takes those pictures of a folder that docs/results/photographs.json has of this set, `--sheet` as many of
the images that a model held out as docs/results/compression.json has, in one sheet. `--made` takes the screenshots of
this documentation, and a page of text as a scanner sees it, which is made here; these in all formats, and by
nextpixel/photographs at effort 1. Every file is decoded again to the same pixels. JPEG-LS is CharLS and QOI the
reference's, both by imagecodecs; QOI has no grey, so that grey pictures are given as RGB.
docs/scripts/benchmarks.py makes tables of the record.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter, ImageFont

import nextpixel as nx
from nextpixel.cli.options import valid_part
from nextpixel.data.preview import sheet
from nextpixel.scoring.references import Format, lossless_size
from timing import processor

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "docs" / "results"
SCREENSHOTS = ["page.png", "page-phone.png"]
FORMATS: list[Format] = ["PNG", "WebP", "JPEG XL"]
TEXT = ROOT / "CONTRIBUTING.md"
Pixels = NDArray[np.uint8]


def main() -> None:
    """Measure, and add to the record."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pictures", nargs="*", action="extend", default=[], metavar="SET=FOLDER")
    parser.add_argument("--sheet", nargs="*", action="extend", default=[], metavar="MODEL=IMAGES")
    parser.add_argument("--made", action="store_true")
    parser.add_argument("--record", type=Path, required=True)
    options = parser.parse_args()
    torch.set_num_threads(1)
    record: dict[str, Any] = json.loads(options.record.read_text()) if options.record.exists() else {}
    for words in options.pictures:
        name, _, folder = words.partition("=")
        record.setdefault("pictures", {}).update(pictures(name, Path(folder)))
    for words in options.sheet:
        model, _, images = words.partition("=")
        record.setdefault("sheets", {})[Path(images).stem] = one_sheet(model, images)
    if options.made:
        shots = [np.asarray(Image.open(ROOT / "docs" / "images" / name).convert("RGB")) for name in SCREENSHOTS]
        record["made"] = {"screenshots": in_all(shots), "a scanned page": in_all([scan()])}
    record["processor"] = processor()
    record["versions"] = {name: importlib.metadata.version(name) for name in ("imagecodecs", "pillow")} | {
        name: imagecodecs_version(name) for name in ("charls", "qoi")
    }
    options.record.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")


def imagecodecs_version(name: str) -> str:
    """The version of a library inside imagecodecs."""
    known = dict(word.rsplit("-", 1) for word in imagecodecs.version().split(", "))
    return str(known[name])


def checked(
    encode: Callable[[Pixels], bytes | bytearray], decode: Callable[[bytes | bytearray], Pixels], pixels: Pixels
) -> int:
    """The size of a file that was decoded to the same pixels."""
    data = encode(pixels)
    if not np.array_equal(decode(data), pixels):
        raise SystemExit(f"{encode.__name__} does not give the same pixels back")
    return len(data)


def others(pixels: Pixels) -> dict[str, int]:
    """The sizes that other records do not have."""
    coloured = np.ascontiguousarray(pixels if pixels.ndim == 3 else np.repeat(pixels[..., None], 3, axis=-1))
    return {
        "JPEG-LS": checked(imagecodecs.jpegls_encode, imagecodecs.jpegls_decode, np.ascontiguousarray(pixels)),
        "QOI": checked(imagecodecs.qoi_encode, imagecodecs.qoi_decode, coloured),
    }


def pictures(name: str, folder: Path) -> dict[str, dict[str, int]]:
    """JPEG-LS and QOI of the pictures of a set that were measured."""
    known = json.loads((RESULTS / "photographs.json").read_text(encoding="utf-8"))["pictures"]
    stems = [stem for stem, line in known.items() if line["set"] == name]
    paths = {stem: next(folder.glob(f"{stem}.*")) for stem in stems}
    return {stem: others(np.asarray(Image.open(path).convert("RGB"))) for stem, path in paths.items()}


def one_sheet(model: str, images: str) -> dict[str, int]:
    """JPEG-LS and QOI of the images of a set that were compressed by a model."""
    count = json.loads((RESULTS / "compression.json").read_text(encoding="utf-8"))[Path(images).stem]["images"]
    loaded = nx.load(model)
    held_out, _ = valid_part(loaded, nx.open_images(images, levels=loaded.levels), None)
    return others(np.asarray(sheet(held_out[:count])))


def in_all(several: list[Pixels]) -> dict[str, float]:
    """The sizes of some pictures in every format, and the seconds of nextpixel."""
    model = nx.load("nextpixel/photographs")
    images = [torch.from_numpy(pixels.transpose(2, 0, 1).copy()) for pixels in several]
    start = time.process_time()
    packed = [nx.compress(model, image, effort=1) for image in images]
    middle = time.process_time()
    for image, data in zip(images, packed, strict=True):
        back = nx.decompress(model, data)
        if not (isinstance(back, torch.Tensor) and torch.equal(back, image)):
            raise SystemExit("nextpixel does not give the same pixels back")
    end = time.process_time()
    sizes: dict[str, float] = {"pictures": len(several), "sub_pixels": sum(pixels.size for pixels in several)}
    for form in FORMATS:
        sizes[form] = sum(lossless_size(Image.fromarray(pixels), form) for pixels in several)
    for name in ("JPEG-LS", "QOI"):
        sizes[name] = sum(others(pixels)[name] for pixels in several)
    return sizes | {
        "nextpixel": sum(map(len, packed)),
        "encoding seconds": round(middle - start, 2),
        "decoding seconds": round(end - middle, 2),
    }


def scan() -> Pixels:
    """A page of text as a scanner sees it: soft edges, paper of uneven brightness, noise of the sensor."""
    page = Image.new("L", (560, 420), 235)
    text = "\n".join(TEXT.read_text(encoding="utf-8").splitlines()[:22])
    ImageDraw.Draw(page).multiline_text((24, 24), text, fill=40, font=ImageFont.load_default(13), spacing=3)
    soft = np.asarray(page.filter(ImageFilter.GaussianBlur(0.8)), dtype=np.float64)
    random = np.random.default_rng(0)
    down, across = np.mgrid[0:420, 0:560]
    paper = soft + 6 * np.sin(down / 90) + 5 * np.cos(across / 130) + random.normal(0, 1.5, soft.shape)
    tinted = paper[..., None] * np.array([1.0, 0.985, 0.95]) + random.normal(0, 1.0, (*soft.shape, 3))
    seen: Pixels = tinted.clip(0, 255).round().astype(np.uint8)
    return seen


if __name__ == "__main__":
    main()

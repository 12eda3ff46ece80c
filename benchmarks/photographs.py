"""Sizes of photographs: nextpixel/photographs beside PNG, WebP and JPEG XL, file against file, in one run.

    python benchmarks/photographs.py --set kodak=FOLDER --set camera=FOLDER --leave-out camera=031,034 --efforts 1,5
        --out docs/results/photographs.json

Every picture is a file by itself, with its header. JPEG XL without loss at efforts 9 and 10, by two versions, as
neither is the smaller one of all pictures: libjxl 0.11.2 by imagecodecs 2026.3.6, libjxl 0.12.0 by pillow-jxl-plugin
1.3.8. What is in the record already is not measured again, so a run can be stopped. Times are CPU
seconds of one thread, and only comparable within a line.

Pictures whose colours lie on a decoder's lattice are also measured as if they did not ("any"). `--set jpeg=FOLDER@90`
takes pictures through JPEG of that quality first, as is true of many that are stored without loss now.
"""

from __future__ import annotations

import argparse
import io
import json
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, TypeVar
from unittest.mock import patch

import numpy as np
import torch
from PIL import Image

import nextpixel as nx
from nextpixel.codec import local_codec
from nextpixel.codec.container import read
from nextpixel.runtime.atomic_files import write_atomically

ENDINGS = (".png", ".webp", ".tif", ".tiff", ".ppm")
JPEG_XL_EFFORTS = (9, 10)


Result = TypeVar("Result")


def timed(work: Callable[[], Result]) -> tuple[Result, float]:
    start = time.process_time()
    result = work()
    return result, time.process_time() - start


def jpeg_xl(pixels: np.ndarray, effort: int) -> bytes:
    import imagecodecs

    data = imagecodecs.jpegxl_encode(pixels, lossless=True, effort=effort, numthreads=1)
    if not np.array_equal(imagecodecs.jpegxl_decode(data), pixels):
        raise SystemExit("JPEG XL does not decode to the same pixels")
    return bytes(data)


def jpeg_xl_12(picture: Image.Image, effort: int) -> int:
    import pillow_jxl  # noqa: F401 - Pillow knows the format afterwards

    return saved(picture, "JXL", lossless=True, effort=effort, num_threads=1)


def saved(picture: Image.Image, form: str, **options: Any) -> int:
    file = io.BytesIO()
    picture.save(file, form, **options)
    if not np.array_equal(np.asarray(Image.open(file).convert(picture.mode)), np.asarray(picture)):
        raise SystemExit(f"{form} does not decode to the same pixels")
    return len(file.getvalue())


def opened(path: Path, quality: int | None) -> Image.Image:
    """A picture, as it is after JPEG of a quality if there is one."""
    picture = Image.open(path).convert("RGB")
    if quality is None:
        return picture
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=quality)
    return Image.open(file).convert("RGB")


def of_any_colours(model: nx.ImageModel, image: torch.Tensor, effort: int) -> int:
    """The size of a file that makes no use of lattices."""
    with patch.object(local_codec, "_lattice_of", lambda *_: None):
        return len(nx.compress(model, image, effort=effort))


def measure(
    picture: Image.Image, name: str, group: str, model: nx.ImageModel, efforts: list[int], known: dict[str, Any]
) -> dict[str, Any]:
    pixels = np.asarray(picture)
    image = torch.from_numpy(pixels.transpose(2, 0, 1).copy())
    line = known or {"set": group, "sub_pixels": int(pixels.size), "size": list(picture.size)}
    if "png" not in line:
        line["png"] = saved(picture, "PNG", optimize=True)
        line["webp"] = saved(picture, "WEBP", lossless=True, exact=True, quality=100, method=6)
    for effort in JPEG_XL_EFFORTS:
        if f"jxl{effort}" not in line:
            data, seconds = timed(partial(jpeg_xl, pixels, effort))
            line |= {f"jxl{effort}": len(data), f"jxl{effort}_seconds": round(seconds, 2)}
        if f"jxl12_{effort}" not in line:
            size, seconds = timed(partial(jpeg_xl_12, picture, effort))
            line |= {f"jxl12_{effort}": size, f"jxl12_{effort}_seconds": round(seconds, 2)}
    for effort in efforts:
        if f"effort{effort}" not in line:
            data, seconds = timed(partial(nx.compress, model, image, effort=effort))
            decoded, back = timed(partial(nx.decompress, model, data))
            if not (isinstance(decoded, torch.Tensor) and torch.equal(decoded, image)):
                raise SystemExit(f"{name} does not come back")
            line |= {
                f"effort{effort}": len(data),
                f"effort{effort}_seconds": round(seconds, 2),
                f"effort{effort}_decoding_seconds": round(back, 2),
                f"any{effort}": of_any_colours(model, image, effort) if read(data).lattices else len(data),
            }
    return line


def measure_album(
    folder: Path,
    stems: list[str],
    model: nx.ImageModel,
    efforts: list[int],
    singles: dict[str, Any],
    known: dict[str, Any],
) -> dict[str, Any]:
    paths = [path for stem in stems for path in folder.glob(f"{stem}.*")]
    images = [torch.from_numpy(np.asarray(Image.open(path).convert("RGB")).transpose(2, 0, 1).copy()) for path in paths]
    line = known or {"pictures": stems, "jxl9": sum(singles[stem]["jxl9"] for stem in stems)}
    for effort in efforts:
        if f"effort{effort}" not in line:
            line[f"effort{effort}"] = len(nx.compress(model, images, effort=effort))
    return line


def named(parts: list[str]) -> set[tuple[str, str]]:
    """The set and the stem of each picture that options name."""
    pairs = [(name, stems) for part in parts for name, _, stems in [part.partition("=")]]
    return {(name, stem) for name, stems in pairs for stem in stems.split(",")}


def summary(lines: list[dict[str, Any]], key: str) -> str:
    """The mean over pictures of a size beside JPEG XL's at effort 9."""
    ratios = [line[key] / line["jxl9"] for line in lines if key in line]
    return f"{np.mean(ratios):.4f} ({len(ratios)})" if ratios else "-"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--set", action="append", required=True, help="NAME=FOLDER of pictures without loss, or NAME=FOLDER@QUALITY"
    )
    parser.add_argument("--only", action="append", default=[], help="NAME=stem,stem: pictures of a set")
    parser.add_argument("--leave-out", action="append", default=[], help="NAME=stem,stem: pictures that were chosen on")
    parser.add_argument(
        "--album", action="append", default=[], help="NAME=FOLDER:stem,stem: pictures in one file, with one adaptation"
    )
    parser.add_argument("--efforts", default="1,5", help="of nextpixel")
    parser.add_argument("--model", default="nextpixel/photographs")
    parser.add_argument("--out", type=Path, required=True, help="the record, JSON")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    model = nx.load(arguments.model)
    efforts = [int(effort) for effort in arguments.efforts.split(",")]
    left_out = named(arguments.leave_out)
    only = named(arguments.only)
    chosen = {group for group, _ in only}
    record: dict[str, Any] = json.loads(arguments.out.read_text()) if arguments.out.exists() else {"pictures": {}}
    pictures = record["pictures"]
    for part in arguments.set:
        group, _, place = part.partition("=")
        folder, at, quality = place.partition("@")
        for path in sorted(Path(folder).iterdir()):
            one = group, path.stem
            if path.suffix.lower() in ENDINGS and one not in left_out and (group not in chosen or one in only):
                name = f"{path.stem}{at}{quality}"
                picture = opened(path, int(quality) if quality else None)
                pictures[name] = measure(picture, name, group, model, efforts, pictures.get(name, {}))
                write_atomically(arguments.out, json.dumps(record, indent=1).encode())
                print(name, pictures[name], flush=True)
    for part in arguments.album:
        name, _, rest = part.partition("=")
        folder, _, stems = rest.rpartition(":")
        albums = record.setdefault("albums", {})
        albums[name] = measure_album(Path(folder), stems.split(","), model, efforts, pictures, albums.get(name, {}))
        write_atomically(arguments.out, json.dumps(record, indent=1).encode())
        line = albums[name]
        print(name, {key: round(size / line["jxl9"], 4) for key, size in line.items() if key.startswith("effort")})
    keys = [
        "png",
        "webp",
        "jxl10",
        "jxl12_9",
        "jxl12_10",
        *(f"{way}{effort}" for way in ("effort", "any") for effort in range(1, 10)),
    ]
    for group in sorted({line["set"] for line in pictures.values()}):
        lines = [line for line in pictures.values() if line["set"] == group]
        print(group, "mean ratio to JPEG XL effort 9 (pictures):")
        for key in keys:
            if any(key in line for line in lines):
                print(f"  {key:8} {summary(lines, key)}")


if __name__ == "__main__":
    main()

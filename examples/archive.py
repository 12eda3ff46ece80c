"""Compressing an archive of pictures without loss, with a model that has learned pictures like them.

The pictures are 360 of scikit-learn's digits that the model which comes along was not trained on. The file is held
against what an archive of PNG files takes, and the model is counted as well: it has to be stored once, so that a model
pays from some number of pictures on.

    .venv/bin/python examples/archive.py
"""

from __future__ import annotations

import argparse
import io
import zipfile
from pathlib import Path

import numpy as np
import torch
from PIL import Image

import nextpixel as nx


def encoded(pixels: np.ndarray, form: str) -> bytes:
    """A grey picture as a file, as small as Pillow makes it without loss."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, format=form, optimize=True, lossless=True)
    return buffer.getvalue()


def main() -> None:
    """Compress, get everything back, and compare sizes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="nextpixel/digits-gated", help="a model of digits")
    parser.add_argument("--count", type=int, default=360, help="how many pictures")
    parser.add_argument("--out", type=Path, default=Path("runs/archive"))
    arguments = parser.parse_args()

    model = nx.load(arguments.model)
    digits = nx.open_images("digits")
    images = torch.cat([digits.split("valid")[:], digits.split("test")[:]])[: arguments.count]
    data = nx.compress(model, images)
    assert torch.equal(torch.as_tensor(nx.decompress(model, data)), images)
    arguments.out.mkdir(parents=True, exist_ok=True)
    (arguments.out / "digits.npx").write_bytes(data)

    pictures = images[:, 0].numpy()
    files = [encoded(picture, "PNG") for picture in pictures]
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as file:
        for number, content in enumerate(files):
            file.writestr(f"{number:04d}.png", content)
    likelihood = nx.evaluate(model, images)
    print(f"{len(images)} pictures, decompressed to the same pixels; {likelihood}")
    for name, size in (
        ("a .zip of PNG files", len(archive.getvalue())),
        ("PNG files by themselves", sum(map(len, files))),
        ("one sheet of WebP", len(encoded(np.concatenate(pictures), "WebP"))),
        ("the .npx file", len(data)),
    ):
        print(f"  {name:26}{size:10,} bytes{8 * size / images.numel():9.3f} bits/dim")
    model_size = 2 * sum(weight.numel() for weight in model.parameters())
    saved = (len(archive.getvalue()) - len(data)) / len(images)
    print(
        f"with its model, {model_size:,} bytes in float16, it beats the .zip from "
        f"{model_size / max(saved, 1e-9):,.0f} pictures"
    )


if __name__ == "__main__":
    main()

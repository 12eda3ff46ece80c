"""Gather freely licensed photographs and prepare them, so that a model learns pictures of many cameras and scales.

The pictures are those of Debian's wallpaper packages (--debian, which downloads them by `apt-get download`) and of
folders. Every copy of a picture is made smaller by a random factor and kernel, sharpened, toned and given noise, as a
function of the seed, the picture's name and the number of the copy. The licences are in each package's copyright file.

    .venv/bin/python examples/photographs/gather.py --debian --folder MINE --copies 3 --out runs/photographs/pictures
"""

from __future__ import annotations

import argparse
import subprocess
import tempfile
import zlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

PACKAGES = (
    "mate-backgrounds",
    "gnome-backgrounds",
    "lomiri-wallpapers-16.04",
    "lomiri-wallpapers-20.04",
    "plasma-workspace-wallpapers",
    "ukui-wallpapers",
)
ENDINGS = (".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff")
KERNELS = (
    Image.Resampling.BOX,
    Image.Resampling.BILINEAR,
    Image.Resampling.HAMMING,
    Image.Resampling.BICUBIC,
    Image.Resampling.LANCZOS,
)
LARGE, LEAST_SIDE = 1_600_000, 48
"""Pictures of so many pixels are made 2 to 5 times smaller, which hides their JPEG artefacts; others up to 2 times."""

Pixels = NDArray[np.float32]


def download(folder: Path) -> None:
    """Download the packages and unpack them."""
    for package in PACKAGES:
        subprocess.run(["apt-get", "download", package], cwd=folder, check=True)
    for archive in sorted(folder.glob("*.deb")):
        subprocess.run(["dpkg-deb", "--extract", archive, folder], check=True)


def cut(random: np.random.Generator, picture: Image.Image, most: float) -> Image.Image:
    """A random part of at most so many pixels, of the picture's proportions."""
    width, height = picture.size
    part = min(1.0, (most / (width * height)) ** 0.5)
    columns, rows = max(1, int(width * part)), max(1, int(height * part))
    left, top = int(random.integers(0, width - columns + 1)), int(random.integers(0, height - rows + 1))
    return picture.crop((left, top, left + columns, top + rows))


def smaller(random: np.random.Generator, picture: Image.Image, factor: float) -> Pixels:
    """The picture made smaller by a random kernel, not rounded: `[H, W, 3]`."""
    size = tuple(max(LEAST_SIDE, round(side / factor)) for side in picture.size)
    kernel = KERNELS[random.integers(len(KERNELS))]
    colours = np.asarray(picture, np.float32).transpose(2, 0, 1)
    return np.stack([np.asarray(Image.fromarray(colour).resize(size, kernel)) for colour in colours], axis=2)


def sharpened(random: np.random.Generator, pixels: Pixels) -> Pixels:
    """An unsharp mask."""
    amount, radius = random.uniform(0.2, 1.2), random.uniform(0.5, 1.6)
    blurred = Image.fromarray(np.clip(pixels, 0, 255).round().astype(np.uint8)).filter(ImageFilter.GaussianBlur(radius))
    return pixels + np.float32(amount) * (pixels - np.asarray(blurred, np.float32))


def toned(random: np.random.Generator, pixels: Pixels) -> Pixels:
    """Another gamma, contrast, white balance and saturation."""
    values = np.clip(pixels / 255, 0, 1) ** np.exp(random.normal(0, 0.25))
    if random.random() < 0.5:
        black, white = random.uniform(-0.1, 0.15), random.uniform(0.7, 1.15)
        values = black + values * (white - black)
    values = values * np.exp(random.normal(0, 0.07, 3))
    if random.random() < 0.3:
        grey = values.mean(axis=2, keepdims=True)
        values = grey + (values - grey) * random.uniform(0.2, 1.3)
    return (255 * values).astype(np.float32)


def noisy(random: np.random.Generator, pixels: Pixels) -> Pixels:
    """Noise that grows with the brightness, partly the same in all colours, sometimes with a grain."""
    strength, shared = np.exp(random.uniform(np.log(0.3), np.log(6))), random.random()
    brightness = np.clip(pixels, 0, 255) / 255
    deviation = strength * np.sqrt(random.uniform(0.15, 1) + random.uniform(0, 1.5) * brightness)
    noise = np.sqrt(1 - shared) * random.standard_normal(pixels.shape)
    noise = noise + np.sqrt(shared) * random.standard_normal((*pixels.shape[:2], 1))
    if random.random() < 0.4:
        grain = random.uniform(0.1, 0.5)
        noise = noise * (1 - grain) + grain / 2 * (np.roll(noise, 1, 0) + np.roll(noise, 1, 1))
        noise = noise / noise.std()
    return (pixels + noise * deviation).astype(np.float32)


def prepared(random: np.random.Generator, picture: Image.Image, most_pixels: int) -> Image.Image:
    """A copy of a picture."""
    is_large = picture.width * picture.height >= LARGE
    low, high = (2.0, 5.0) if is_large else (1.0, 2.0)
    factor = float(np.exp(random.uniform(np.log(low), np.log(high))))
    if not is_large and random.random() < 0.3:
        factor = 1.0
    part = cut(random, picture, most_pixels * factor**2)
    if min(part.size) < LEAST_SIDE * factor:
        factor, part = 1.0, cut(random, part, most_pixels)
    pixels = smaller(random, part, factor) if factor > 1.0 else np.asarray(part, np.float32)
    if random.random() < 0.25:
        pixels = sharpened(random, pixels)
    # Tones of pictures that were not resampled would leave combs in their histograms.
    if factor > 1.0 and random.random() < 0.6:
        pixels = toned(random, pixels)
    if random.random() < 0.55:
        pixels = noisy(random, pixels)
    result = Image.fromarray(np.clip(np.rint(pixels), 0, 255).astype(np.uint8))
    if random.random() < 0.06:
        result = result.convert("L").convert("RGB")
    if random.random() < 0.5:
        result = result.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    if random.random() < 0.25:
        result = result.transpose(Image.Transpose.TRANSPOSE)
    return result


def gather(folders: list[Path], out: Path, *, copies: int, most_pixels: int, seed: int) -> int:
    """Write copies of all pictures of folders as PNG files; how many they are."""
    out.mkdir(parents=True, exist_ok=True)
    count = 0
    for folder in folders:
        for path in sorted(path for path in folder.rglob("*") if path.suffix.lower() in ENDINGS):
            name = path.relative_to(folder).as_posix()
            with Image.open(path) as file:
                picture = file.convert("RGB")
            for copy in range(copies):
                random = np.random.default_rng([seed, zlib.crc32(name.encode()), copy])
                prepared(random, picture, most_pixels).save(out / f"{count:06d}.png", compress_level=1)
                count += 1
    return count


def main() -> None:
    """Gather and prepare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--debian", action="store_true", help="download Debian's wallpaper packages")
    parser.add_argument("--folder", type=Path, action="append", default=[], help="pictures, in folders of any depth")
    parser.add_argument("--copies", type=int, default=3, help="of each picture, each changed in another way")
    parser.add_argument("--most-pixels", type=int, default=900_000, help="of a copy; a part of a larger one is taken")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("runs/photographs/pictures"), help="a new or empty folder")
    arguments = parser.parse_args()
    if arguments.out.exists() and any(arguments.out.iterdir()):
        parser.error(f"--out {arguments.out} is not empty; choose another folder")
    if not arguments.debian and not arguments.folder:
        parser.error("nothing to gather: give --debian, or --folder with a folder of pictures")
    with tempfile.TemporaryDirectory() as temporary:
        folders = list(arguments.folder)
        if arguments.debian:
            download(Path(temporary))
            folders.append(Path(temporary))
        count = gather(
            folders, arguments.out, copies=arguments.copies, most_pixels=arguments.most_pixels, seed=arguments.seed
        )
    print(f"{count} pictures: {arguments.out}")


if __name__ == "__main__":
    main()

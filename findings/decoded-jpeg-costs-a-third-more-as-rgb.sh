#!/usr/bin/env bash
# Lossless JPEG XL, WebP and PNG take 30 to 43 % more bytes for the red, green and blue of a decoded JPEG than for the
# YCbCr planes that the same decoder computed them from, though both hold the same information. Expected: a few per cent,
# as JPEG XL and WebP choose a reversible colour transform for each picture. But the decoder's own transform is rounded and
# reaches only 25.4 % of all colours, and none of them can say so: the rounding is coded as if it were noise. Saw: RGB / YCbCr
# 1.35 to 1.41 (JPEG XL, effort 9, each plane by itself), 1.30 to 1.43 (WebP, YCbCr stored as if it were RGB), 1.35 to 1.43
# (PNG likewise), for JPEG of quality 75 and 90 with and without subsampling. So a benchmark of lossless codecs on PNG files
# that were JPEG once, or on Kodak's test pictures, which are on the lattice of Photo CD, measures this as well.
# Tried on 2026-11-28 with Python 3.11 and numpy==2.4.6, pillow==13.0.0, imagecodecs==2026.3.6. Found while trying files on
# nextpixel; no source.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv environment
environment/bin/pip install --quiet --disable-pip-version-check numpy==2.4.6 pillow==13.0.0 imagecodecs==2026.3.6
environment/bin/python - <<'PYTHON'
import io

import imagecodecs
import numpy as np
from PIL import Image

random = np.random.default_rng(0)
height, width = 384, 512


def waves(size):
    coarse = random.normal(size=(height // size, width // size)).astype(np.float32)
    return np.asarray(Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC))


light = 128 + 60 * waves(64) + 25 * waves(16) + 8 * waves(4)
noise = random.normal(size=(3, height, width))
colours = [light + 30 * waves(64) + 6 * waves(16) + 2 * noise[channel] for channel in range(3)]
picture = Image.fromarray(np.stack(colours, axis=-1).clip(0, 255).astype(np.uint8))


def jpeg_xl(pixels):
    data = imagecodecs.jpegxl_encode(np.ascontiguousarray(pixels), lossless=True, effort=9)
    assert np.array_equal(imagecodecs.jpegxl_decode(data), pixels)
    return len(data)


def saved(pixels, form, **options):
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, form, **options)
    assert np.array_equal(np.asarray(Image.open(file)), pixels)
    return len(file.getvalue())


for quality, subsampling in ((90, 0), (90, 2), (75, 2)):
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=quality, subsampling=subsampling)
    rgb = np.asarray(Image.open(io.BytesIO(file.getvalue())))
    decoded = Image.open(io.BytesIO(file.getvalue()))
    decoded.draft("YCbCr", None)
    assert decoded.mode == "YCbCr"
    planes = np.asarray(decoded)
    ratios = {
        "JPEG XL": jpeg_xl(rgb) / sum(jpeg_xl(planes[..., plane]) for plane in range(3)),
        "WebP": saved(rgb, "WEBP", lossless=True, quality=100, method=6) / saved(planes, "WEBP", lossless=True, quality=100, method=6),
        "PNG": saved(rgb, "PNG", optimize=True) / saved(planes, "PNG", optimize=True),
    }
    print(f"quality {quality}, subsampling {subsampling}:", {name: round(ratio, 2) for name, ratio in ratios.items()})
    assert min(ratios.values()) > 1.2, "the behaviour has changed: RGB takes hardly more"
    # The colours that the formula of ITU-T T.871 reaches, rounded as libjpeg does.
    luma, blue, red = planes.astype(np.int64).transpose(2, 0, 1)
    blue, red = blue - 128, red - 128
    green = luma + ((-22554 * blue - 46802 * red + 2**15) >> 16)
    formula = luma + ((91881 * red + 2**15) >> 16), green, luma + ((116130 * blue + 2**15) >> 16)
    assert np.array_equal(np.stack(formula, axis=-1).clip(0, 255), rgb), "the decoder's formula has changed"
PYTHON

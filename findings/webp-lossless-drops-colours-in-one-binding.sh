#!/usr/bin/env bash
# "Lossless" WebP is not the same thing in two bindings of libwebp: where alpha is 0, Pillow's lossless=True throws the
# colours away unless exact=True is added, and imagecodecs' lossless=True keeps them. Expected: lossless keeps every sample
# in both, or in neither. Saw: 34 bytes against 996 for the same noise under full transparency. Whoever uses WebP as a
# yardstick for lossless compression, or to archive sprites and masks, gets figures and files of other pixels.
# Tried on 2026-11-27 with Python 3.11 and numpy==2.4.6, pillow==13.0.0, imagecodecs==2026.3.6. Found while trying files on nextpixel; no source.
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

pixels = np.random.default_rng(0).integers(0, 256, (16, 16, 4), np.uint8)
pixels[..., 3] = 0
file = io.BytesIO()
Image.fromarray(pixels).save(file, "WEBP", lossless=True)
by_pillow = np.asarray(Image.open(io.BytesIO(file.getvalue())).convert("RGBA"))
data = imagecodecs.webp_encode(pixels, lossless=True)
by_imagecodecs = imagecodecs.webp_decode(data)
print(f"Pillow: {len(file.getvalue())} bytes, equal {np.array_equal(by_pillow, pixels)}")
print(f"imagecodecs: {len(data)} bytes, equal {np.array_equal(by_imagecodecs, pixels)}")
assert not np.array_equal(by_pillow, pixels) and np.array_equal(by_imagecodecs, pixels), "the behaviour has changed"
PYTHON

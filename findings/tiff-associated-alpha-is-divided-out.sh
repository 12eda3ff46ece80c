#!/usr/bin/env bash
# A TIFF whose colours are multiplied by their alpha (ExtraSamples 1) does not come out of Pillow as it is stored: the
# colours are divided by alpha and rounded to whole numbers, and the stored ones cannot be had back. Expected: the samples
# of the file, as for every other lossless TIFF, or a mode that says premultiplied (RGBa). Saw: mode RGBA with other
# numbers; multiplying them by alpha again does not restore all the file's own.
# Tried on 2026-11-27 with Python 3.11 and numpy==2.4.6, pillow==13.0.0, tifffile==2026.3.3. Found while trying files on nextpixel; no source.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv environment
environment/bin/pip install --quiet --disable-pip-version-check numpy==2.4.6 pillow==13.0.0 tifffile==2026.3.3
environment/bin/python - <<'PYTHON'
import io

import numpy as np
import tifffile
from PIL import Image

alpha = np.random.default_rng(0).integers(1, 60, (16, 16, 1))
stored = np.concatenate([np.random.default_rng(1).integers(0, alpha + 1, (16, 16, 3)), alpha], axis=2).astype(np.uint8)
file = io.BytesIO()
tifffile.imwrite(file, stored, photometric="rgb", extrasamples=["assocalpha"])
assert np.array_equal(tifffile.imread(io.BytesIO(file.getvalue())), stored), "tifffile reads its own file"
with Image.open(io.BytesIO(file.getvalue())) as image:
    mode, pixels = image.mode, np.asarray(image)
print(f"mode {mode}; stored {stored[0, 0].tolist()}, read {pixels[0, 0].tolist()}")
changed = (pixels[..., :3] != stored[..., :3]).mean()
print(f"{changed:.0%} of the colours are other numbers than those in the file; alpha is the same")
assert mode == "RGBA" and changed > 0.5 and np.array_equal(pixels[..., 3], stored[..., 3]), "the behaviour has changed"
PYTHON

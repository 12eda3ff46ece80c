#!/usr/bin/env bash
# Pillow opens a TIFF of 16 bits a channel whose colours lie in planes of their own (PlanarConfiguration 2) as an 8-bit RGB
# picture of noise: no error, no warning. Expected: an error, as Pillow has no mode for 48 bits, or the highest eight bits,
# which it gives when the same picture is a PNG. Saw: mode RGB, and a mean distance of about 86 of 255 from the right
# values. Lossless copies, training data and checksums made of such files are of pictures that nobody took.
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

right = np.random.default_rng(0).integers(0, 65536, (3, 32, 48)).astype(np.uint16)
file = io.BytesIO()
tifffile.imwrite(file, right, photometric="rgb", planarconfig="separate")
assert np.array_equal(tifffile.imread(io.BytesIO(file.getvalue())), right), "tifffile reads its own file"
with Image.open(io.BytesIO(file.getvalue())) as image:
    mode, pixels = image.mode, np.asarray(image)
distance = np.abs(pixels.astype(int) - (right >> 8).transpose(1, 2, 0)).mean()
print(f"mode {mode}, mean distance from the highest eight bits {distance:.1f}")
assert mode == "RGB" and distance > 50, "the behaviour has changed"
PYTHON

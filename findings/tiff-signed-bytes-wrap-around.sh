#!/usr/bin/env bash
# Pillow opens a TIFF of signed 8-bit integers (SampleFormat 2) as unsigned ones: -128 becomes 128 and -1 becomes 255, so
# what was lowest becomes brighter than what was highest. Expected: a refusal, or a shift by 128. Saw: the bytes as they
# are, in mode L. Height differences, temperatures and residuals in such files change their order without a word.
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

right = np.array([[-128, -1, 0, 1, 127]], np.int8)
file = io.BytesIO()
tifffile.imwrite(file, right)
with Image.open(io.BytesIO(file.getvalue())) as image:
    mode, pixels = image.mode, np.asarray(image).tolist()
print(f"{right.tolist()} is read as {pixels}, mode {mode}")
assert mode == "L" and pixels == [[128, 255, 0, 1, 127]], "the behaviour has changed"
PYTHON

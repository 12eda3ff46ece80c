#!/usr/bin/env bash
# With ImageFile.LOAD_TRUNCATED_IMAGES, which many loaders of data sets set so that a run does not stop at one bad file, a
# PNG of which half is missing opens without a word: the rows that are not there are 0, and no attribute tells how many. A
# JPEG of which half is missing is filled with grey (128) instead, so no one test finds both. Expected: a warning, or one
# filling. Saw: black rows in one, grey ones in the other, and no warning even with warnings turned to errors.
# Tried on 2026-11-27 with Python 3.11 and numpy==2.4.6, pillow==13.0.0. Found while trying files on nextpixel; no source.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv environment
environment/bin/pip install --quiet --disable-pip-version-check numpy==2.4.6 pillow==13.0.0
environment/bin/python - <<'PYTHON'
import io
import warnings

import numpy as np
from PIL import Image, ImageFile

warnings.simplefilter("error")
ImageFile.LOAD_TRUNCATED_IMAGES = True
pixels = np.random.default_rng(0).integers(60, 100, (64, 64), np.uint8)
last = {}
for form in ("PNG", "JPEG"):
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, form)
    half = file.getvalue()[: len(file.getvalue()) // 2]
    with Image.open(io.BytesIO(half)) as image:
        found = np.asarray(image)
    assert found.shape == pixels.shape
    last[form] = sorted(set(found[-8:].ravel().tolist()))
    print(f"{form}: the last eight rows hold {last[form]}")
assert last == {"PNG": [0], "JPEG": [128]}, "the behaviour has changed"
PYTHON

#!/usr/bin/env bash
# A PGM file says how many grey levels it has (maxval). Pillow does not give its numbers but stretches them to 0 ... 255:
# of maxval 100, 1 becomes 3 and 50 becomes 128. Expected: the integers of the file, since the file holds nothing else, and
# since Pillow gives those of a PNG palette. Saw: stretched ones, rounded, and no attribute that tells the maxval. Label
# maps and counts, often kept as PGM, become other labels.
# Tried on 2026-11-27 with Python 3.11 and numpy==2.4.6, pillow==13.0.0. Found while trying files on nextpixel; no source.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv environment
environment/bin/pip install --quiet --disable-pip-version-check numpy==2.4.6 pillow==13.0.0
environment/bin/python - <<'PYTHON'
import io

import numpy as np
from PIL import Image

values = [0, 1, 2, 50, 99, 100]
with Image.open(io.BytesIO(b"P5 6 1 100\n" + bytes(values))) as image:
    pixels = np.asarray(image).tolist()[0]
    known = dict(image.info)
print(f"{values} of maxval 100 is read as {pixels}; info {known}")
assert pixels == [0, 3, 5, 128, 252, 255] and not known, "the behaviour has changed"
PYTHON

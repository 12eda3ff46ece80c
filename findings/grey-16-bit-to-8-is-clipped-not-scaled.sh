#!/usr/bin/env bash
# Two ways to bring 16-bit pictures to 8 bits in Pillow differ by a factor of 256: a colour PNG of 16 bits is divided by 256
# when it is opened, but convert("L") of a grey one clips, so that everything from 255 upwards is white. Expected: the same
# scale for grey and colour. Saw: 1000 of 65535 becomes 255 as grey and 3 as a channel of RGB. X-rays and depth maps turn
# into white pictures, of which a model learns that they are white.
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

grey = np.array([[0, 100, 255, 1000, 30000, 65535]], np.uint16)
clipped = np.asarray(Image.open(io.BytesIO(imagecodecs.png_encode(grey))).convert("L")).tolist()[0]
colour = np.repeat(grey[..., None], 3, axis=2)
scaled = np.asarray(Image.open(io.BytesIO(imagecodecs.png_encode(colour))).convert("L")).tolist()[0]
print(f"{grey.tolist()[0]}: as grey {clipped}, as colour {scaled}")
assert clipped == [0, 100, 255, 255, 255, 255] and scaled == [0, 0, 0, 3, 117, 255], "the behaviour has changed"
PYTHON

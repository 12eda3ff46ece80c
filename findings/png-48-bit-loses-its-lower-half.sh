#!/usr/bin/env bash
# Pillow opens an RGB PNG of 16 bits a channel as 8-bit RGB and drops the lower bytes; a *grey* PNG of 16 bits it opens
# with all of them (mode I;16). Nothing in mode, info or a warning tells the two cases apart once a file is open. Expected:
# the same care for both, or an error. Saw: RGB of uint8 beside I;16 of uint16. A test on a grey file proves nothing of
# colour files, and a lossless copy by open and save halves the data.
# Tried on 2026-11-27 with Python 3.11 and numpy==2.4.6, pillow==13.0.0, imagecodecs==2026.3.6. Found while trying files on nextpixel; no source.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv environment
environment/bin/pip install --quiet --disable-pip-version-check numpy==2.4.6 pillow==13.0.0 imagecodecs==2026.3.6
environment/bin/python - <<'PYTHON'
import io
import warnings

import imagecodecs
import numpy as np
from PIL import Image

warnings.simplefilter("error")
deep = np.random.default_rng(0).integers(0, 65536, (8, 8, 3)).astype(np.uint16)
kinds = {}
for name, values in (("grey", deep[..., 0].copy()), ("colour", deep)):
    with Image.open(io.BytesIO(imagecodecs.png_encode(values))) as image:
        pixels = np.asarray(image)
        kinds[name] = (image.mode, pixels.dtype.name, bool(np.array_equal(pixels, values)))
        if name == "colour":
            assert np.array_equal(pixels, values >> 8)
print(kinds)
assert kinds == {"grey": ("I;16", "uint16", True), "colour": ("RGB", "uint8", False)}, "the behaviour has changed"
PYTHON

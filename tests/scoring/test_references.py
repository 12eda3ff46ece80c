import io

import numpy as np
import pytest
from PIL import Image

from nextpixel.errors import InputError
from nextpixel.scoring import references
from nextpixel.scoring.references import has_jpeg_xl, lossless_size, quick_size

FORMATS = ["PNG", "WebP", pytest.param("JPEG XL", marks=pytest.mark.skipif(not has_jpeg_xl(), reason="extra [jxl]"))]


def transparent(mode):
    """Noise, half of which is fully transparent: colours under it are part of the pixels."""
    channels = len(Image.new(mode, (1, 1)).getbands())
    pixels = np.random.default_rng(0).integers(0, 256, (24, 24, channels), np.uint8)
    if channels in (2, 4):
        pixels[:12, :, -1] = 0
    return Image.fromarray(pixels[:, :, 0] if channels == 1 else pixels)


@pytest.mark.parametrize("size", [lossless_size, quick_size])
@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("mode", ["L", "LA", "RGB", "RGBA"])
def test_noise_takes_its_entropy_transparent_or_not(mode, form, size):
    picture = transparent(mode)
    channels = len(picture.getbands())
    alphas = channels in (2, 4)
    random_bytes = 24 * 24 * (channels - alphas) + 12 * 24 * alphas
    assert size(picture, form) > 0.97 * random_bytes


@pytest.mark.parametrize("form", ["PNG", "WebP"])
def test_a_format_that_changes_pixels_is_no_yardstick(monkeypatch, form):
    save = Image.Image.save

    def rounded(self, file, **options):
        save(self.point(lambda value: value & 254), file, **options)

    monkeypatch.setattr(Image.Image, "save", rounded)
    with pytest.raises(InputError, match=f"{form} as it is installed here does not keep the pixels"):
        lossless_size(transparent("RGB"), form)


@pytest.mark.skipif(not has_jpeg_xl(), reason="extra [jxl]")
def test_of_jpeg_xl_the_smaller_of_two_efforts_counts():
    picture = Image.fromarray(np.add.outer(np.arange(64) ** 2, np.arange(48) * 3).astype(np.uint8))
    sizes = []
    for effort in (9, 10):
        file = io.BytesIO()
        picture.save(file, format="JXL", lossless=True, effort=effort)
        sizes.append(len(file.getvalue()))
    assert lossless_size(picture, "JPEG XL") == min(sizes)
    assert references.BEST_EFFORTS["JPEG XL"] == [{"effort": 9}, {"effort": 10}]

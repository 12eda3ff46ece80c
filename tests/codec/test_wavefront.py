import numpy as np
import pytest

from nextpixel.codec.wavefront import Canvas
from nextpixel.nn.local_window import LocalWindow


@pytest.mark.parametrize(
    "window", [LocalWindow(2, 2, 1), LocalWindow(6, 8, 1), LocalWindow(6, 20, 3), LocalWindow(9, 4, 2)]
)
@pytest.mark.parametrize("channels", [1, 3])
def test_a_complete_canvas_has_the_same_windows(window, channels):
    random = np.random.default_rng(0)
    sizes = [(1, 1), (3, 1), (1, 4), (17, 23)]
    canvas = Canvas(window, 128, channels, sizes)
    canvas.pixels[:-1] = random.integers(0, 256, canvas.pixels[:-1].shape)
    counts = np.diff(canvas.first)
    sheets = np.repeat(np.arange(len(sizes)), counts)
    pixels = np.concatenate([np.arange(count) for count in counts])
    order = random.permutation(len(pixels))
    expected = canvas.windows(pixels[order], sheets[order])
    canvas.complete()
    assert np.array_equal(canvas.windows(pixels[order], sheets[order]), expected)
    assert canvas.windows(pixels[:0], sheets[:0]).shape == (0, len(window.offsets), channels)


def test_a_canvas_of_no_sheets_can_be_completed():
    Canvas(LocalWindow(6, 8, 1), 128, 3, []).complete()

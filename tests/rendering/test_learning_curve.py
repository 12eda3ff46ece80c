import warnings

import pytest
from matplotlib.figure import Figure
from PIL import Image

from nextpixel.rendering.curve import learning_curve

LINES = [
    {"step": 1, "train_bits_per_dim": 8.0},
    *({"step": 2 + step, "train_bits_per_dim": 2.0} for step in range(48)),
    {"step": 100, "train_bits_per_dim": 1.5, "valid_bits_per_dim": 1.6},
    {"step": 200, "valid_bits_per_dim": 1.4, "valid_nats": 700.0},
]


@pytest.fixture
def drawn(monkeypatch):
    """The figures that were saved."""
    figures, save = [], Figure.savefig

    def keep(figure, *arguments, **options):
        figures.append(figure)
        save(figure, *arguments, **options)

    monkeypatch.setattr(Figure, "savefig", keep)
    return figures


def test_the_curve_is_a_picture_of_the_metrics(tmp_path, drawn):
    learning_curve(iter(LINES), tmp_path / "curve.png")
    with Image.open(tmp_path / "curve.png") as picture:
        assert picture.format == "PNG" and picture.width > 500
    (axes,) = drawn[0].axes
    training, validation = axes.lines
    assert training.get_xydata().tolist() == [[1, 8.0], *([2 + step, 2.0] for step in range(48)), [100, 1.5]]
    assert validation.get_xydata().tolist() == [[100, 1.6], [200, 1.4]]
    assert "bits/dim" in axes.get_ylabel() and axes.get_xlabel() == "step"
    bottom, top = axes.get_ylim()
    assert bottom < 1.4 and 2 <= top < 8


def test_small_gains_fill_the_picture(tmp_path, drawn):
    learning_curve([{"step": step, "valid_bits_per_dim": 0.147 + 0.001 / step} for step in range(1, 9)], tmp_path / "c")
    bottom, top = drawn[0].axes[0].get_ylim()
    assert 0.1465 < bottom < 0.1472 and 0.148 < top < 0.149


@pytest.mark.parametrize("lines", [[], [{"step": 1}], LINES[:1], LINES[-1:]])
def test_short_metrics_make_a_picture_too(tmp_path, lines):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        learning_curve(lines, tmp_path / "curve.png")
    with Image.open(tmp_path / "curve.png") as picture:
        assert picture.format == "PNG"

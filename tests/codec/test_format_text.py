"""The text of docs/reference/format.md is enough to decode whole pictures: a decoder was written from it alone."""

import ast
import re
from pathlib import Path

import numpy as np
import pytest
import torch

import nextpixel as nx
from codec import independent_local_decoder
from helpers.golden import GOLDEN, model_of, pixels_of
from helpers.tiny_models import sharper, tiny
from nextpixel.codec import local_codec, wavefront
from nextpixel.codec.adaptation import MOST, Change
from nextpixel.codec.container import read
from nextpixel.model_files.loading import load
from nextpixel.model_files.shipped import HERE as SHIPPED
from nextpixel.model_files.stored import stored_model


def test_the_independent_decoder_imports_nothing_of_the_package():
    imported = {
        name
        for node in ast.walk(ast.parse(Path(independent_local_decoder.__file__).read_text(encoding="utf-8")))
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in ([node.module] if isinstance(node, ast.ImportFrom) else [alias.name for alias in node.names])
    }
    assert "numpy" in imported and not any(name.startswith(("nextpixel", "torch")) for name in imported)


@pytest.mark.parametrize("file", ["local-rgb", "local-grey", "local-rgb-4", "local-grey-4", "local-rgb-5"])
def test_it_decodes_the_golden_files(file):
    expected = pixels_of(file)
    pictures, names = independent_local_decoder.decode(GOLDEN / model_of(file), (GOLDEN / f"{file}.npx").read_bytes())
    assert [picture.tolist() for picture in pictures] == expected
    assert names == [f"{number}.png" for number in range(len(expected))]


def test_it_tells_of_every_weight():
    text = (Path(__file__).parents[2] / "docs" / "reference" / "format.md").read_text(encoding="utf-8")
    folders = [path.parent for root in (GOLDEN, SHIPPED) for path in root.glob("*/config.json")]
    models = [load(folder) for folder in folders]
    names = {name for model in models if model.family != "autoencoder" for name in stored_model(model).weights}
    parts = {part for name in names for part in name.split(".") if not part.isdigit()}
    assert "image_maps" in parts
    assert sorted(part for part in parts if not re.search(rf"`[^`]*\b{part}\b[^`]*`", text)) == []


def changes_of_all(model, *_, **__):
    """Random changes of all weights, of very different sizes."""
    random = np.random.default_rng(0)
    return {
        name: Change(
            random.geometric(0.3, parameter.shape).clip(max=MOST) * random.integers(-1, 2, parameter.shape), bits
        )
        for bits, (name, parameter) in enumerate(model.named_parameters(), 3)
    }


@pytest.mark.parametrize(
    ("channels", "levels", "options"),
    [
        (3, 256, {}),
        (3, 7, {"kernel_size": 5, "distance": 2, "components": 1}),
        (2, 256, {"kernel_size": 5, "distance": 4, "lag": 2, "layers": 1}),
        (1, 2, {"kernel_size": 9, "distance": 8, "lag": 4}),
    ],
)
@pytest.mark.parametrize("steepness", [1.0, 300.0])
def test_it_decodes_stripes_and_sheets_of_other_models(tmp_path, monkeypatch, channels, levels, options, steepness):
    """Also with weights so large that sums need the wider carrier, and with changes of all tensors."""
    monkeypatch.setattr(wavefront, "STRIPE_PIXELS", 20)
    monkeypatch.setattr(local_codec, "shorter", lambda *_, **__: None)
    monkeypatch.setattr(local_codec, "_suits", lambda *_: True)
    monkeypatch.setattr(local_codec, "fit", changes_of_all)
    # So that both carriers of sums are seen.
    monkeypatch.setattr(local_codec, "raised", lambda _, ranges: ranges)
    model = sharper(tiny("local-pixelcnn", (channels, 4, 5), levels, **options), steepness).eval()
    model.save(tmp_path / "model")
    torch.manual_seed(0)
    shapes = [(3, 5, 7), (1, 4, 3), (4, 1, 5)]
    pictures = [torch.randint(levels, shape, dtype=torch.uint8) for shape in shapes]
    data = nx.compress(model, pictures, effort=1, lanes=2)
    contents = read(data)
    assert contents.adaptation and len(contents.blocks) > len(pictures)
    twin = local_codec.LocalTwin(stored_model(model), contents.ranges)
    assert twin.first.weights.dtype == np.float64
    assert (twin.blocks[0][0].weights.dtype == np.float64) == (steepness > 1)
    decoded, names = independent_local_decoder.decode(tmp_path / "model", data, stripe_pixels=20)
    assert names is None
    assert all(np.array_equal(*pair) for pair in zip(decoded, map(torch.Tensor.numpy, pictures), strict=True))

"""Models in files, made to do harm to whoever decodes without PyTorch: refused soon, and with our errors only."""

import copy
import json
import shutil
import time

import numpy as np
import pytest

from helpers.golden import GOLDEN, model_of
from helpers.tampering import tampered
from nextpixel.codec.container import read, write
from nextpixel.decode.__main__ import decode
from nextpixel.errors import NextpixelError
from nextpixel.plan.model_folder import read_model

STEMS = ["row-lstm-rgb-3", "multiscale-rgb-3", "turned-labels-3", "local-rgb-4"]
LEFT_OUT = object()
VALUES = [None, 0, 7, 10**30, 1.5, "x", [1], "multiscale", LEFT_OUT]
SHAPES = [
    lambda weight: weight.repeat(2, *[1] * (weight.ndim - 1)),
    lambda weight: weight[:-1],
    lambda weight: weight[..., None].expand(*weight.shape, 2).flatten(-2),
    lambda weight: weight.flatten(),
    lambda weight: weight[:0],
]
SECONDS = 5


@pytest.fixture(params=STEMS)
def stem(request):
    return request.param


@pytest.fixture
def folder(stem, tmp_path):
    return shutil.copytree(GOLDEN / model_of(stem), tmp_path / "model")


def places_of(description, before=()):
    """The ways to all entries of a description."""
    entries = description.items() if isinstance(description, dict) else enumerate(description)
    for key, value in entries:
        yield (*before, key)
        if isinstance(value, dict | list):
            yield from places_of(value, (*before, key))


def changed(description, way, value):
    """Put a value in a place of a description, or leave the entry out."""
    *above, last = way
    for key in above:
        description = description[key]
    if value is LEFT_OUT:
        del description[last]
    else:
        description[last] = value


def decoded(stem, folder, out):
    """Decode a golden file whose model is another one."""
    contents = read((GOLDEN / f"{stem}.npx").read_bytes())
    contents.model = {name: (folder / name).read_bytes() for name in ("config.json", "model.safetensors")}
    header = json.loads(contents.model["model.safetensors"][8:].split(b"}}")[0] + b"}}")
    contents.fingerprint = bytes.fromhex(header["__metadata__"]["sha256"])[:8]
    file = folder / "file.npx"
    file.write_bytes(write(contents))
    started = time.process_time()
    try:
        decode(file, out)
    except NextpixelError as error:
        assert str(error)
    else:
        shutil.rmtree(out)
    assert time.process_time() - started < SECONDS


def test_no_description_is_a_fault_of_ours_or_takes_long(stem, folder, tmp_path):
    original = json.loads((folder / "config.json").read_text())
    for way in places_of(original["model"]):
        for value in VALUES:
            config = copy.deepcopy(original)
            changed(config["model"], way, value)
            (folder / "config.json").write_text(json.dumps(config))
            tampered(folder)
            decoded(stem, folder, tmp_path / "out")


def test_no_shape_of_a_weight_is_a_fault_of_ours(stem, folder, tmp_path):
    original = shutil.copytree(folder, tmp_path / "original")
    names = read_model(*((folder / name).read_bytes() for name in ("config.json", "model.safetensors"))).weights
    for number, chosen in enumerate(names):
        shutil.copytree(original, folder, dirs_exist_ok=True)
        reshape = SHAPES[number % len(SHAPES)]
        tampered(
            folder,
            change_weights=lambda name, weight, chosen=chosen, reshape=reshape: (
                reshape(weight).contiguous() if name == chosen else weight
            ),
        )
        decoded(stem, folder, tmp_path / "out")


def test_tensors_of_the_same_bytes_are_refused():
    """A header of many tensors that are all one would keep the checksum busy for hours."""
    entry = {"dtype": "F32", "shape": [4], "data_offsets": [0, 16]}
    header = json.dumps({"a": entry, "b": entry}).encode()
    config = json.loads((GOLDEN / "gated-grey" / "config.json").read_text())
    weights = len(header).to_bytes(8, "little") + header + np.zeros(4, np.float32).tobytes()
    with pytest.raises(NextpixelError, match="its tensors do not lie one after the other"):
        read_model(json.dumps(config).encode(), weights)

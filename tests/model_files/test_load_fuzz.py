"""Model folders and checkpoints of any content: each is loaded, or refused in words, in little time and memory."""

import contextlib
import copy
import hashlib
import io
import json
import shutil
import time

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import nextpixel as nx
from data.test_open_fuzz import damage
from helpers.fuzzing import fuzzed
from helpers.tampering import tampered
from helpers.tiny_models import tiny
from nextpixel.errors import ModelError, TrainingError
from nextpixel.training.checkpoint import MAGIC, read_checkpoint

FAMILIES = ["gated-pixelcnn", "multiscale", "local-pixelcnn"]
SECONDS = 2.0
HOSTILE = st.one_of(
    st.none(),
    st.booleans(),
    st.sampled_from([-1, 0, 1, 2, 3, 5, 17, 256, 10**6, 10**9, 2**31, 2**63, 10**30]),
    st.floats(),
    st.sampled_from(["", "x", "1", "gated-pixelcnn", "logistic-mixture", "Labels", "\ud800", "A" * 5000]),
    st.sampled_from([[], [1], [1, 8, 8], [3, 10**9, 10**9], {}, {"kind": "Labels", "count": 10**12}, [[[]]]]),
)


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """A sound folder of each family."""
    root = tmp_path_factory.mktemp("sound")
    for family in FAMILIES:
        tiny(family, (1, 8, 8), 4, default_condition=False).save(root / family)
        # What is imported at the first load takes its time once.
        nx.load(root / family)
    return root


def changed(draw, value):
    """A value of which one part, at any depth, is another, gone, or new."""
    if not isinstance(value, dict | list) or not value or draw(st.integers(0, 4)) == 0:
        return draw(HOSTILE)
    places = list(value) if isinstance(value, dict) else list(range(len(value)))
    place, result = draw(st.sampled_from(places)), copy.copy(value)
    kind = draw(st.integers(0, 9))
    if kind == 0:
        del result[place]
    elif kind == 1 and isinstance(result, dict):
        result[draw(st.sampled_from(["layers", "features", "head", "scales", "x"]))] = draw(HOSTILE)
    else:
        result[place] = changed(draw, result[place])
    return result


def loads_or_refuses(folder):
    started = time.process_time()
    with contextlib.suppress(ModelError):
        nx.load(folder)
    taken = time.process_time() - started
    assert taken < SECONDS, (folder / "config.json").read_text()


@fuzzed(25)
@given(st.data(), st.sampled_from(FAMILIES))
def test_descriptions(folders, tmp_path_factory, data, family):
    folder = shutil.copytree(folders / family, tmp_path_factory.mktemp("changed") / family)

    def change(description):
        other = changed(data.draw, description)
        description.clear()
        description.update(other if isinstance(other, dict) else {"other": other})

    tampered(folder, change)
    loads_or_refuses(folder)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(changed(data.draw, config)))
    loads_or_refuses(folder)
    shutil.rmtree(folder.parent)


def other_weight(draw, weight):
    """A tensor of another type or shape, or of other numbers."""
    match draw(st.integers(0, 4)):
        case 0:
            return weight.to(draw(st.sampled_from([torch.float16, torch.float64, torch.int8, torch.bool])))
        case 1:
            return weight.flatten()[: draw(st.integers(0, 3))].clone()
        case 2:
            return weight[None].clone()
        case 3:
            return weight * draw(st.sampled_from([float("nan"), float("inf"), 1e38, 0.0]))
    return weight


@fuzzed(12)
@given(st.data(), st.sampled_from(FAMILIES))
def test_weights(folders, tmp_path_factory, data, family):
    folder = shutil.copytree(folders / family, tmp_path_factory.mktemp("changed") / family)
    chosen = data.draw(st.integers(0, 20))
    count = iter(range(10**6))
    tampered(folder, None, lambda _, weight: other_weight(data.draw, weight) if next(count) == chosen else weight)
    loads_or_refuses(folder)
    shutil.rmtree(folder.parent)


@fuzzed(60)
@given(
    st.randoms(use_true_random=False), st.sampled_from(FAMILIES), st.sampled_from(["config.json", "model.safetensors"])
)
def test_bytes(folders, tmp_path_factory, chance, family, name):
    folder = shutil.copytree(folders / family, tmp_path_factory.mktemp("changed") / family)
    (folder / name).write_bytes(damage((folder / name).read_bytes(), chance))
    loads_or_refuses(folder)
    shutil.rmtree(folder.parent)


@fuzzed(60)
@given(st.randoms(use_true_random=False))
def test_checkpoints(tmp_path_factory, chance):
    buffer = io.BytesIO()
    torch.save({"step": 3, "model": {"weight": torch.ones(3)}, "seconds": 1.5}, buffer)
    data = damage(buffer.getvalue(), chance)
    path = tmp_path_factory.mktemp("checkpoints") / "checkpoint.pt"
    path.write_bytes(MAGIC + hashlib.sha256(data).hexdigest().encode() + b"\n" + data)
    with pytest.raises(TrainingError) as refused:
        read_checkpoint(path)
    assert "weights_only" not in str(refused.value) and "\n" not in str(refused.value)

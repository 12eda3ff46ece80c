"""ONNX files give the likelihoods of the model, for any number of images."""

import sys

import pytest
import torch

import nextpixel as nx
from helpers.tiny_models import noise, tiny
from helpers.versions import since_torch_2_13
from nextpixel import onnx_export
from nextpixel.errors import InputError, ModelError
from nextpixel.onnx_export import check_onnx, write_onnx

CONDITION = {"kind": nx.Labels(3), "numbers": nx.Vector(2)}


@since_torch_2_13
@pytest.mark.parametrize(("family", "options"), [("pixelcnn", {"condition": CONDITION})])
def test_it_gives_the_likelihoods_of_the_model(family, options, tmp_path):
    runtime = pytest.importorskip("onnxruntime")
    model = tiny(family, (3, 4, 5), 7, default_condition=False, layers=1, **options).eval()
    assert write_onnx(model, tmp_path / "model.onnx") < 1e-4
    session = runtime.InferenceSession(str(tmp_path / "model.onnx"))
    for count in (1, 5):
        images, values = noise(model, count), model.random_condition(count, torch.Generator().manual_seed(count))
        inputs = {"images": images.numpy()} | {name: value.numpy() for name, value in values.items()}
        nats = torch.from_numpy(session.run(None, inputs)[0])
        torch.testing.assert_close(nats, model.log_prob_map(images, values or None).detach(), atol=1e-4, rtol=1e-4)


@since_torch_2_13
def test_a_file_of_other_likelihoods_is_not_written(tmp_path, monkeypatch):
    pytest.importorskip("onnxruntime")
    monkeypatch.setattr(onnx_export, "MOST_NATS", -1.0)
    with pytest.raises(ModelError, match="nats from PyTorch's, more than -1; nothing is written"):
        write_onnx(tiny("pixelcnn", (1, 2, 2), 3, layers=1).eval(), tmp_path / "model.onnx")
    assert not list(tmp_path.iterdir())


def test_a_missing_library_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxscript", None)
    with pytest.raises(InputError, match=r"onnxscript is not installed; pip install 'nextpixel\[onnx\]'"):
        check_onnx()

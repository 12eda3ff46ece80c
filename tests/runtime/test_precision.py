import threading
from pathlib import Path

import pytest
import torch

from helpers.tiny_models import begins_with_what_is_known, noise, tiny
from nextpixel.runtime.precision import evaluating, full_float32, in_full_float32, repeatable
from nextpixel.training import api
from nextpixel.training import run as run_module

CUDNN = torch.backends.cudnn


def precision():
    return CUDNN.conv.fp32_precision


@pytest.fixture(autouse=True)
def usual():
    """PyTorch's own setting."""
    CUDNN.allow_tf32 = True
    yield
    CUDNN.allow_tf32 = True


@pytest.fixture(params=["tf32", "ieee"])
def before(request):
    """What a program that uses the library has set."""
    CUDNN.allow_tf32 = request.param == "tf32"
    return precision()


def test_every_part_gets_its_own_mode_back():
    model = torch.nn.Sequential(torch.nn.Dropout(), torch.nn.Dropout().eval())
    with pytest.raises(KeyError), evaluating(model):
        assert not any(module.training for module in model.modules())
        raise KeyError
    assert [module.training for module in model.modules()] == [True, True, False]


def test_what_was_set_comes_back(before):
    with pytest.raises(KeyError), full_float32():
        assert precision() == "ieee" and not CUDNN.allow_tf32
        with full_float32():
            assert precision() == "ieee"
        assert precision() == "ieee"
        raise KeyError
    assert precision() == before
    assert CUDNN.allow_tf32 == (before == "tf32")


def test_settings_of_the_newer_kind_come_back():
    CUDNN.rnn.fp32_precision = "ieee"
    with full_float32():
        assert precision() == "ieee"
    assert (precision(), CUDNN.rnn.fp32_precision) == ("tf32", "ieee")


def test_the_first_thread_to_leave_does_not_take_it_from_the_others(before):
    entered, leave = threading.Event(), threading.Event()
    found = []

    @in_full_float32
    def other():
        entered.set()
        leave.wait(10)
        found.append(precision())

    with full_float32():
        thread = threading.Thread(target=other)
        thread.start()
        entered.wait(10)
    leave.set()
    thread.join()
    assert found == ["ieee"]
    assert precision() == before


def test_bits_are_repeatable_for_a_while():
    with repeatable():
        assert CUDNN.deterministic
    assert not CUDNN.deterministic


@pytest.fixture
def seen(monkeypatch):
    """The precision at every convolution."""
    found, convolve = [], torch.nn.functional.conv2d

    def watched(*arguments, **options):
        found.append(precision())
        return convolve(*arguments, **options)

    monkeypatch.setattr(torch.nn.functional, "conv2d", watched)
    return found


@pytest.mark.parametrize("what", ["logits", "log_prob", "log_prob_map", "bits_per_dim", "forward"])
def test_likelihoods_are_in_full_float32(variant, what, seen):
    if variant.startswith("local-pixelcnn"):
        pytest.skip("it has no convolution")
    model = tiny(variant)
    getattr(model, what)(noise(model, 2))
    assert set(seen) == {"ieee"} and precision() == "tf32"


@pytest.mark.parametrize("what", ["encode", "reconstruct_plainly"])
def test_codes_are_in_full_float32(what, seen):
    model = tiny("autoencoder")
    getattr(model, what)(noise(model, 2))
    assert set(seen) == {"ieee"} and precision() == "tf32"


@pytest.mark.parametrize("candidates", [1, 3])
def test_draws_are_in_full_float32(variant, candidates, seen):
    if candidates > 1 and begins_with_what_is_known(variant):
        pytest.skip("it is exact without candidates")
    model = tiny(variant)
    watched = []
    known = torch.zeros(3, 4, dtype=torch.bool)
    known[1:] = True
    model.complete(noise(model, 2), known, candidates=candidates, advance=lambda _: watched.append(precision()))
    assert watched and set(watched) == {"ieee"} and set(seen) <= {"ieee"} and precision() == "tf32"


def test_training_is_in_full_float32_and_repeatable(monkeypatch):
    found = []
    monkeypatch.setattr(run_module.Run, "__init__", lambda *_: None)
    monkeypatch.setattr(run_module.Run, "begin", lambda *_: None)
    for name in ("go", "finish"):
        monkeypatch.setattr(run_module.Run, name, lambda _: found.append((precision(), CUDNN.deterministic)))
    monkeypatch.setattr(run_module.RunFolder, "held", lambda _: repeatable())
    monkeypatch.setattr(api, "with_batch_size", lambda settings, *_: settings)
    model = tiny("pixelcnn")
    api.train(model, noise(model, 30), Path("nowhere"))
    assert found == [("ieee", True)] * 2


def test_the_mode_breaks_no_compiled_graph(some_family):
    model = tiny(some_family).eval()
    images = noise(model, 2)
    explained = torch._dynamo.explain(model.log_prob)(images)
    assert not any(reason.user_stack[-1].filename.endswith("modes.py") for reason in explained.break_reasons)
